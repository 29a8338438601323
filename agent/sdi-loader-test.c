/* SPDX-License-Identifier: Apache-2.0 */

/*
 * sdi-loader-test(1): does a loader keep the contract of sdi-loader(7)? It makes the calls that sdi-load would make, through the same
 * code, interrupts some of them, and compares what the device's configuration is before and after. Run by a vendor, in his lab:
 * it commits and resets for real.
 */

#include "agent/config.h"
#include "agent/loader.h"
#include "agent/log.h"
#include "agent/process.h"
#include "agent/snapshot.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#define LIST_MAX 32
#define MESSAGES_MAX 10u /* of one clause */
#define LINE_MIN 8 /* shorter lines of a configuration, such as "exit", are words that anybody may say */

DEFINE_CLEANUP(Config, config_free)
DEFINE_CLEANUP(Snapshot, snapshot_free)

typedef enum Clause {
        CLAUSE_VERDICTS,
        CLAUSE_CHECK,
        CLAUSE_COMMIT,
        CLAUSE_RESET,
        CLAUSE_SIGNALS,
        CLAUSE_TIME,
        CLAUSE_OUTPUT,
        _CLAUSE_MAX,
} Clause;

static const char *const clause_names[] = {
        [CLAUSE_VERDICTS] = "what is good is accepted, what is bad is refused",
        [CLAUSE_CHECK] = "check changes nothing",
        [CLAUSE_COMMIT] = "commit is atomic, or undoes itself",
        [CLAUSE_RESET] = "reset undoes what commits have done",
        [CLAUSE_SIGNALS] = "SIGTERM ends it, and nothing goes on in the background",
        [CLAUSE_TIME] = "it ends within its time limits",
        [CLAUSE_OUTPUT] = "its output is short and holds no configuration",
};
static_assert(ELEMENTSOF(clause_names) == _CLAUSE_MAX, "a clause without a name");

typedef struct Input {
        const char *path;
        int fd; /* a sealed memfd, as from sdi-unwrap */
        const char *text;
        size_t size;
} Input;

/* What the loader's processes left behind them, shared by the process that collects it and the one that tests. */
typedef struct Orphans {
        _Atomic unsigned n_killed; /* by SIGKILL: the loader itself had ended, and they had not */
        char name[32];             /* of one of them */
} Orphans;

typedef struct Test {
        StringList loader;
        uint64_t check_timeout_usec, commit_timeout_usec;
        Input good, good2, bad;
        char *watched[LIST_MAX + 1], *commands[LIST_MAX + 1], *secrets[LIST_MAX + 1], *daemons[LIST_MAX + 1];
        unsigned n_moments;
        bool verbose;
        Orphans *orphans;

        unsigned n_broken[_CLAUSE_MAX];
        char *messages[_CLAUSE_MAX][MESSAGES_MAX];

        /* The last call. */
        const char *verb;
        const Input *input;
        unsigned n_lines;
        char last_line[160];
        uint64_t elapsed_usec;
} Test;

/* TAP's word for a test that cannot go on. */
static void _printf_(1, 2) __attribute__((noreturn)) bail_out(const char *format, ...) {
        va_list arguments;

        printf("Bail out! ");
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        putchar('\n');
        exit(EX_SOFTWARE);
}

static void _printf_(3, 4) broken(Test *test, Clause clause, const char *format, ...) {
        unsigned n = test->n_broken[clause]++;
        va_list arguments;

        if (n >= MESSAGES_MAX)
                return;
        va_start(arguments, format);
        if (vasprintf(&test->messages[clause][n], format, arguments) < 0)
                bail_out("out of memory");
        va_end(arguments);
}

static const char *call_name(const Test *test, char name[static 256]) {
        snprintf(name, 256, "%s%s%.200s", test->verb, test->input ? " of " : "",
                        test->input ? test->input->path : "");
        return name;
}

/* The number of the first line of the configuration that is a part of the output, or 0. */
static unsigned find_line(const Input *input, const char *output, size_t n_output) {
        const char *p = input->text, *end = input->text + input->size;

        for (unsigned number = 1; p < end; number++) {
                const char *newline = memchr(p, '\n', (size_t) (end - p)),
                           *next = newline ? newline + 1 : end;
                size_t n = (size_t) ((newline ? newline : end) - p);

                while (n > 0 && isspace((unsigned char) *p))
                        p++, n--;
                while (n > 0 && isspace((unsigned char) p[n - 1]))
                        n--;
                if (n >= LINE_MIN && memmem(output, n_output, p, n))
                        return number;
                p = next;
        }
        return 0;
}

static void check_secrecy(Test *test, const char *line, size_t n) {
        const Input *inputs[] = { &test->good, &test->good2, &test->bad };
        char name[256];

        for (char **secret = test->secrets; *secret; secret++)
                if (memmem(line, n, *secret, strlen(*secret)))
                        broken(test, CLAUSE_OUTPUT, "%s printed one of the secrets", call_name(test, name));
        for (size_t i = 0; i < ELEMENTSOF(inputs); i++) {
                unsigned number = find_line(inputs[i], line, n);

                if (number > 0)
                        broken(test, CLAUSE_OUTPUT, "%s printed line %u of %s", call_name(test, name),
                                        number, inputs[i]->path);
        }
}

static void on_line(const char *line, size_t n, void *userdata) {
        Test *test = userdata;
        char text[4 * PROCESS_LINE_MAX], name[256];

        if (test->verbose)
                fprintf(stderr, "  | %s\n", text_escape(text, sizeof(text), line, n));
        if (n > 0)
                text_escape(test->last_line, sizeof(test->last_line), line, n);
        if (++test->n_lines == LOADER_LINES_MAX + 1)
                broken(test, CLAUSE_OUTPUT, "%s printed more than %d lines", call_name(test, name),
                                LOADER_LINES_MAX);
        check_secrecy(test, line, n);
}

static bool process_name(pid_t pid, char name[static 32]) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        size_t n;

        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        if (file_read(AT_FDCWD, path, 4096, &text, &n) < 0 || n == 0)
                return false;
        text_escape(name, 32, text, n - 1);
        return true;
}

/* True if the test's user has said that the loader starts it, and that it is meant to stay. */
static bool is_daemon(const Test *test, const char *name) {
        for (char *const *daemon = test->daemons; *daemon; daemon++)
                if (strcmp(*daemon, name) == 0)
                        return true;
        return false;
}

/* A process that has left the loader's session, and that nobody has announced. */
static bool find_stray(const Test *test, char name[static 32]) {
        _cleanup_free_ char *text = NULL;
        char path[64], *state = NULL;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(), getppid());
        if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
                bail_out("%s cannot be read", path);
        for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
                if (atoi(word) != getpid() && process_name(atoi(word), name) && !is_daemon(test, name))
                        return true;
        return false;
}

static void check_strays(Test *test, bool killed) {
        uint64_t deadline = time_add(time_now_boottime(), USEC_PER_SEC);
        char call[256], name[32];

        while (find_stray(test, name)) {
                if (time_now_boottime() >= deadline) {
                        broken(test, CLAUSE_SIGNALS, "%s left \"%s\" running outside of its session",
                                        call_name(test, call), name);
                        break;
                }
                usleep(10 * USEC_PER_MSEC); /* it was killed with its session, and is not gone yet */
        }
        if (!killed && test->orphans->n_killed > 0)
                broken(test, CLAUSE_SIGNALS, "%s left \"%s\" running in its session", call_name(test, call),
                                test->orphans->name);
        test->orphans->n_killed = 0;
}

/* One call; with `after_usec` it is ended then, by SIGTERM or, if `killed`, by SIGKILL. */
static int call(Test *test, const char *verb, const Input *input, uint64_t after_usec, bool killed) {
        uint64_t limit = strcmp(verb, "check") == 0 ? test->check_timeout_usec : test->commit_timeout_usec;
        char name[256], span[TIME_SPAN_MAX];
        HandoverRequest request;
        uint64_t start;
        int r;

        handover_request_init(&request, "tftp://192.0.2.1/sdi-loader-test", "lo");
        request.flags = HANDOVER_ENCRYPTED;
        test->verb = verb;
        test->input = input;
        test->n_lines = 0;
        test->last_line[0] = '\0';
        if (test->verbose)
                fprintf(stderr, "%s%s\n", call_name(test, name),
                                after_usec == 0          ? ""
                                                : killed ? ", to be killed"
                                                         : ", to be ended");
        start = time_now_boottime();
        r = loader_call(&test->loader,
                        &(LoaderCall){
                                        .verb = verb,
                                        .request = input ? &request : NULL,
                                        .fd_configuration = input ? input->fd : -1,
                                        .timeout_usec = after_usec > 0 ? after_usec : limit,
                                        .kill = killed,
                                        .on_line = on_line,
                                        .userdata = test,
                        });
        test->elapsed_usec = time_now_boottime() - start;
        if (r < 0 && r != -ETIMEDOUT && r != -ECANCELED)
                bail_out("%s cannot be run: %s", test->loader.items[0], strerror(-r));
        if (r == -ETIMEDOUT && after_usec == 0)
                broken(test, CLAUSE_TIME, "%s took longer than %s", call_name(test, name),
                                time_format_span(span, sizeof(span), limit));
        check_strays(test, killed || (r == -ETIMEDOUT && test->elapsed_usec >= limit + PROCESS_GRACE_USEC));
        return r;
}

static void say_status(const Test *test, int r, char text[static 256]) {
        if (r == -ETIMEDOUT)
                snprintf(text, 256, "took too long");
        else if (r == -ECANCELED)
                snprintf(text, 256, "was ended by a signal");
        else
                snprintf(text, 256, "ended with status %d%s%s", r, *test->last_line ? ", saying: " : "",
                                test->last_line);
}

/* What took too long is held against the time limits only. */
static bool accepts(Test *test, Clause clause, const char *verb, const Input *input) {
        char name[256], text[256];
        int r = call(test, verb, input, 0, false);

        if (r == 0 || r == -ETIMEDOUT)
                return r == 0;
        say_status(test, r, text);
        broken(test, clause, "%s %s", call_name(test, name), text);
        return false;
}

static void refuses(Test *test, const char *verb, const Input *input) {
        char name[256];
        int r = call(test, verb, input, 0, false);

        if (r == 0)
                broken(test, CLAUSE_VERDICTS, "%s ended with status 0: it was accepted",
                                call_name(test, name));
        if (r == EX_TEMPFAIL)
                broken(test, CLAUSE_VERDICTS,
                                "%s ended with status 75: it would be tried for ever, and never held against the file",
                                call_name(test, name));
}

static Snapshot *look(const Test *test) {
        Snapshot *snapshot = NULL;
        char reason[256];

        if (snapshot_take(&snapshot, test->watched, test->commands, reason) < 0)
                bail_out("%s", reason);
        return snapshot;
}

/* Now is as `before`, or the clause is broken: `when` and the first difference. */
static void expect_state(Test *test, Clause clause, const Snapshot *before, const char *when) {
        _cleanup_(snapshot_freep) Snapshot *now = look(test);
        char what[256];

        if (snapshot_differs(before, now, what))
                broken(test, clause, "%s: %s", when, what);
}

static void check_unchanged(Test *test, const Input *input, bool good) {
        _cleanup_(snapshot_freep) Snapshot *before = look(test);
        char when[300];

        if (good)
                accepts(test, CLAUSE_VERDICTS, "check", input);
        else
                refuses(test, "check", input);
        snprintf(when, sizeof(when), "after check of %s", input->path);
        expect_state(test, CLAUSE_CHECK, before, when);
}

static void check_all(Test *test) {
        check_unchanged(test, &test->good, true);
        check_unchanged(test, &test->good2, true);
        check_unchanged(test, &test->bad, false);
}

static void commit_bad(Test *test) {
        _cleanup_(snapshot_freep) Snapshot *before = look(test);

        refuses(test, "commit", &test->bad);
        expect_state(test, CLAUSE_COMMIT, before, "after a commit that was refused");
}

/* What has to work before there is anything to interrupt or to undo. */
static void commit_good(Test *test, const Input *input) {
        char name[256], text[256];
        int r = call(test, "commit", input, 0, false);

        say_status(test, r, text);
        if (r != 0)
                bail_out("%s %s", call_name(test, name), text);
}

/* Ends `commit` of the good file at moments spread over `span_usec`, each followed by a check that is to put things right. */
static void interrupt_commits(
                Test *test, Clause clause, uint64_t span_usec, const Snapshot *old, const Snapshot *new) {
        for (unsigned i = 0; i < test->n_moments; i++) {
                uint64_t after = MAX(UINT64_C(1), span_usec * (2 * i + 1) / (2 * test->n_moments));
                bool killed = clause == CLAUSE_COMMIT;
                _cleanup_(snapshot_freep) Snapshot *now = NULL;
                char to_old[256], to_new[256], span[TIME_SPAN_MAX];

                if (!accepts(test, clause, "commit", &test->good2))
                        return;
                expect_state(test, clause, old, "after a commit that was accepted, once more");
                (void) call(test, "commit", &test->good, after, killed);
                if (test->elapsed_usec >= after + PROCESS_GRACE_USEC)
                        broken(test, CLAUSE_SIGNALS, "commit went on for 5 s after SIGTERM");
                (void) time_format_span(span, sizeof(span), after);
                (void) accepts(test, clause, "check", &test->good);
                now = look(test);
                if (snapshot_differs(old, now, to_old) && snapshot_differs(new, now, to_new))
                        broken(test, clause,
                                        "after a commit that got %s after %s, and a check: neither the old state (%s) nor the new one (%s)",
                                        killed ? "SIGKILL" : "SIGTERM", span, to_old, to_new);
        }
}

static void interrupt_resets(Test *test, uint64_t span_usec, const Snapshot *initial) {
        for (unsigned i = 0; i < test->n_moments; i++) {
                if (!accepts(test, CLAUSE_RESET, "commit", &test->good))
                        return;
                (void) call(test, "reset", NULL,
                                MAX(UINT64_C(1), span_usec * (2 * i + 1) / (2 * test->n_moments)), true);
                accepts(test, CLAUSE_RESET, "reset", NULL);
                expect_state(test, CLAUSE_RESET, initial, "after a reset that was killed, and another one");
        }
}

static void test_all(Test *test) {
        _cleanup_(snapshot_freep) Snapshot *initial = NULL, *old = NULL, *new = NULL;
        uint64_t commit_usec;
        char what[256];

        accepts(test, CLAUSE_RESET, "reset", NULL);
        initial = look(test);
        refuses(test, "sdi-loader-test", NULL); /* a verb of which it has never heard */
        check_all(test);
        commit_bad(test);

        commit_good(test, &test->good2);
        old = look(test);
        commit_good(test, &test->good);
        commit_usec = test->elapsed_usec;
        new = look(test);
        if (!snapshot_differs(initial, new, what) || !snapshot_differs(old, new, what))
                bail_out("neither --watch nor --state shows a difference after a commit");
        check_all(test);
        commit_bad(test);

        interrupt_commits(test, CLAUSE_COMMIT, commit_usec, old, new);
        interrupt_commits(test, CLAUSE_SIGNALS, commit_usec, old, new);

        accepts(test, CLAUSE_RESET, "reset", NULL);
        interrupt_resets(test, test->elapsed_usec, initial);
        expect_state(test, CLAUSE_RESET, initial, "after a reset");
        accepts(test, CLAUSE_RESET, "reset", NULL);
        expect_state(test, CLAUSE_RESET, initial, "after a reset where there was nothing to undo");
}

/* Test Anything Protocol, version 13. */
static int report(const Test *test) {
        unsigned n_broken = 0;

        printf("TAP version 13\n1..%d\n", _CLAUSE_MAX);
        for (Clause i = 0; i < _CLAUSE_MAX; i++) {
                unsigned n = test->n_broken[i];

                printf("%sok %d - %s\n", n > 0 ? "not " : "", i + 1, clause_names[i]);
                for (unsigned j = 0; j < MIN(n, MESSAGES_MAX); j++)
                        printf("# %s\n", test->messages[i][j]);
                if (n > MESSAGES_MAX)
                        printf("# and %u more\n", n - MESSAGES_MAX);
                n_broken += n > 0;
        }
        return n_broken > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SIGTERM had come to it as well, and was still held back: a shell blocks all signals while it starts a program. */
static bool was_ending(pid_t pid) {
        _cleanup_free_ char *text = NULL;
        const char *pending;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return false;
        pending = strstr(text, "\nShdPnd:");
        return pending && strtoull(pending + strlen("\nShdPnd:"), NULL, 16) & UINT64_C(1) << (SIGTERM - 1);
}

/*
 * The test itself runs in a child, so that this process, to which all orphans come, can collect each as soon as it ends: the scripts of a
 * service that wait for it to end take a zombie for one that has not.
 */
static void __attribute__((noreturn)) collect_orphans(Test *test, pid_t child) {
        siginfo_t info;
        int status;

        for (;;) {
                if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) < 0) {
                        if (errno == EINTR)
                                continue;
                        bail_out("the test is gone: %m");
                }
                if (info.si_pid == child)
                        break;
                if (info.si_code == CLD_KILLED && info.si_status == SIGKILL && !was_ending(info.si_pid)) {
                        char name[32] = "?";

                        process_name(info.si_pid, name);
                        if (!is_daemon(test, name)) {
                                memcpy(test->orphans->name, name, sizeof(name));
                                test->orphans->n_killed++;
                        }
                }
                waitpid(info.si_pid, NULL, 0);
        }
        waitpid(child, &status, 0);
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

static void become_child(Test *test) {
        pid_t child;

        test->orphans = mmap(NULL, sizeof(*test->orphans), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (test->orphans == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                bail_out("the loader's orphans cannot be seen: %m");
        child = fork();
        if (child < 0)
                bail_out("%m");
        if (child > 0)
                collect_orphans(test, child);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                bail_out("%m");
}

static int read_input(Input *input) {
        _cleanup_close_ int fd = open(input->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        uint64_t size;
        void *text;
        int r;

        if (fd < 0)
                return -errno;
        r = memfd_copy("sdi-file", fd, SIZE_MAX, &size);
        if (r < 0)
                return r;
        input->fd = r;
        input->size = size;
        input->text = "";
        if (size == 0)
                return 0;
        text = mmap(NULL, size, PROT_READ, MAP_SHARED, input->fd, 0);
        if (text == MAP_FAILED)
                return -errno;
        input->text = text;
        return 0;
}

static void __attribute__((noreturn)) help(void) {
        printf("sdi-loader-test [OPTION...] --good=FILE --good2=FILE --bad=FILE [-- LOADER [ARGUMENT...]]\n\n"
               "Does a loader keep the contract of sdi-loader(7)? Commits and resets: for a machine in the lab.\n"
               "Without LOADER, it is the one of sdi.conf.\n\n"
               "  --good=FILE, --good2=FILE  two different configurations that it has to accept\n"
               "  --bad=FILE                 one that it has to refuse\n"
               "  --watch=PATH               a file or folder that belongs to the device's configuration\n"
               "  --state=COMMAND            a command of the shell that shows the configuration in force\n"
               "  --secret=TEXT              what stands in one of the files and may not be printed\n"
               "  --daemon=NAME              a program that goes on after the loader that has started it\n"
               "  --moments=N                at how many moments it is interrupted (10)\n"
               "  --check-timeout=SPAN, --commit-timeout=SPAN, instead of those of sdi.conf\n"
               "  --config=FILE              read FILE and no other sdi.conf\n"
               "  --verbose                  show each call and its output\n"
               "  --help, --version\n\n"
               "--watch or --state has to be there; they, --secret and --daemon can be there more than once.\n");
        exit(EXIT_SUCCESS);
}

static void _printf_(1, 2) __attribute__((noreturn)) usage(const char *format, ...) {
        va_list arguments;

        fprintf(stderr, "sdi-loader-test: ");
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fprintf(stderr, "; --help shows more\n");
        exit(EX_USAGE);
}

static void append(char *list[static LIST_MAX + 1], char *item) {
        size_t n = 0;

        while (list[n])
                n++;
        if (n == LIST_MAX)
                usage("more than %d of one kind", LIST_MAX);
        if (*item == '\0')
                usage("an argument is empty");
        list[n] = item;
}

static uint64_t parse_span(const char *text) {
        uint64_t usec;

        if (time_parse_span(text, &usec) < 0 || usec == 0)
                usage("\"%s\" is not a time span", text);
        return usec;
}

static unsigned parse_moments(const char *text) {
        uint64_t n;

        if (text_parse_u64(text, 1000, &n) < 0 || n == 0)
                usage("\"%s\" is not a number of moments (1 to 1000)", text);
        return (unsigned) n;
}

typedef enum Option {
        OPTION_BAD = 256,
        OPTION_CHECK_TIMEOUT,
        OPTION_COMMIT_TIMEOUT,
        OPTION_CONFIG,
        OPTION_DAEMON,
        OPTION_GOOD,
        OPTION_GOOD2,
        OPTION_HELP,
        OPTION_MOMENTS,
        OPTION_SECRET,
        OPTION_STATE,
        OPTION_VERBOSE,
        OPTION_VERSION,
        OPTION_WATCH,
} Option;

static const struct option options[] = {
        { "bad", required_argument, NULL, OPTION_BAD },
        { "check-timeout", required_argument, NULL, OPTION_CHECK_TIMEOUT },
        { "commit-timeout", required_argument, NULL, OPTION_COMMIT_TIMEOUT },
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "daemon", required_argument, NULL, OPTION_DAEMON },
        { "good", required_argument, NULL, OPTION_GOOD },
        { "good2", required_argument, NULL, OPTION_GOOD2 },
        { "help", no_argument, NULL, OPTION_HELP },
        { "moments", required_argument, NULL, OPTION_MOMENTS },
        { "secret", required_argument, NULL, OPTION_SECRET },
        { "state", required_argument, NULL, OPTION_STATE },
        { "verbose", no_argument, NULL, OPTION_VERBOSE },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "watch", required_argument, NULL, OPTION_WATCH },
        { NULL, 0, NULL, 0 },
};

static void set_option(Test *test, const char **config, int option) {
        switch (option) {
        case OPTION_BAD:
                test->bad.path = optarg;
                break;
        case OPTION_CHECK_TIMEOUT:
                test->check_timeout_usec = parse_span(optarg);
                break;
        case OPTION_COMMIT_TIMEOUT:
                test->commit_timeout_usec = parse_span(optarg);
                break;
        case OPTION_CONFIG:
                *config = optarg;
                break;
        case OPTION_DAEMON:
                append(test->daemons, optarg);
                break;
        case OPTION_GOOD:
                test->good.path = optarg;
                break;
        case OPTION_GOOD2:
                test->good2.path = optarg;
                break;
        case OPTION_HELP:
                help();
        case OPTION_MOMENTS:
                test->n_moments = parse_moments(optarg);
                break;
        case OPTION_SECRET:
                append(test->secrets, optarg);
                break;
        case OPTION_STATE:
                append(test->commands, optarg);
                break;
        case OPTION_VERBOSE:
                test->verbose = true;
                break;
        case OPTION_VERSION:
                printf("sdi-loader-test %s\n", SDI_VERSION);
                exit(EXIT_SUCCESS);
        case OPTION_WATCH:
                append(test->watched, optarg);
                break;
        default: /* getopt_long() has said what it does not know */
                exit(EX_USAGE);
        }
}

static void on_config_warning(const char *line) {
        fprintf(stderr, "sdi-loader-test: %s\n", line);
}

/* What the command line leaves open is as sdi.conf has it. */
static Config *read_config(Test *test, const char *file, int argc, char **argv) {
        Config *config = NULL;
        char reason[256];

        if (config_load(&config, file, on_config_warning, reason) < 0) {
                fprintf(stderr, "sdi-loader-test: %s\n", reason);
                exit(EX_CONFIG);
        }
        if (test->check_timeout_usec == 0)
                test->check_timeout_usec = config->check_timeout_usec;
        if (test->commit_timeout_usec == 0)
                test->commit_timeout_usec = config->commit_timeout_usec;
        if (argc > CONFIG_LIST_MAX)
                usage("the loader has more than %d arguments", CONFIG_LIST_MAX);
        test->loader = config->loader;
        if (argc > 0) {
                test->loader = (StringList){ .n = (unsigned) argc };
                memcpy(test->loader.items, argv, (size_t) argc * sizeof(*argv));
        }
        if (test->loader.items[0][0] != '/')
                usage("the loader has to be given with its whole path, as in sdi.conf");
        return config;
}

int main(int argc, char **argv) {
        _cleanup_(config_freep) Config *config = NULL;
        Test test = { .n_moments = 10 };
        Input *inputs[] = { &test.good, &test.good2, &test.bad };
        const char *config_file = NULL;
        int c, r;

        log_open("sdi-loader-test", LOG_INFO);
        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                set_option(&test, &config_file, c);
        if (!test.good.path || !test.good2.path || !test.bad.path)
                usage("--good=, --good2= and --bad= have to be there");
        if (!test.watched[0] && !test.commands[0])
                usage("--watch= or --state= has to say where the configuration is to be seen");
        config = read_config(&test, config_file, argc - optind, argv + optind);
        for (size_t i = 0; i < ELEMENTSOF(inputs); i++) {
                r = read_input(inputs[i]);
                if (r < 0) {
                        fprintf(stderr, "sdi-loader-test: %s: %s\n", inputs[i]->path, strerror(-r));
                        return EX_NOINPUT;
                }
        }

        umask(0022); /* as sdi-load */
        setvbuf(stdout, NULL, _IOLBF, 0);
        become_child(&test);
        test_all(&test);
        return report(&test);
}
