/* SPDX-License-Identifier: Apache-2.0 */

/* The operator's tool (RFC 8886, section 4.2): configurations, encrypted to the keys of the devices that they are for. */

#include "base/file.h"
#include "base/secrecy.h"
#include "base/text.h"
#include "operator/device-certificate.h"
#include "operator/inspect.h"
#include "operator/wrap.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define LIST_SIZE_MAX (256 << 20)
#define FILE_SIZE_MAX (128 << 20)
#define CONNECTIONS 16
#define CONNECTIONS_MAX 256
#define VERBOSE_MAX 20 /* of more jobs only what is wrong is told, and a summary */

enum {
        OPTION_DIRECTORY = 256,
        OPTION_CERTIFICATE,
        OPTION_CA,
        OPTION_PIN,
        OPTION_KNOWN_DEVICES,
        OPTION_COMPATIBLE,
        OPTION_DEVICE,
        OPTION_OUTPUT,
        OPTION_FOLDER,
        OPTION_LIST,
        OPTION_RESUME,
        OPTION_CONNECTIONS,
        OPTION_INSPECT,
        OPTION_HELP,
        OPTION_VERSION,
};

typedef struct Arguments {
        const char *directory, *certificate, *authority, *pin, *known_devices, *list, *connections;
        JobOptions job;
        bool compatible, resume, inspect;
        char **files;
        int n_files;
} Arguments;

static const char help_text[] =
                "sdi-wrap [OPTION...] FILE|FOLDER...\n\n"
                "Encrypts configurations for the devices that their names say: SN19842256.cfg becomes SN19842256.enc, which only\n"
                "the device with that serial number can read (RFC 8886).\n\n"
                "  --directory=URL       the vendor's directory of certificates, https://keys.vendor.example\n"
                "  --certificate=FILE    this certificate, without a directory\n"
                "  --ca=FILE             the directory's CA, instead of the system's\n"
                "  --pin=FINGERPRINT     the key has to be this one\n"
                "  --known-devices=FILE  keys seen before, ~/.config/sdi/known-devices\n"
                "  --compatible          as `openssl smime` writes it, for devices that know no better\n"
                "  --device=IDENTIFIER   whatever the file's name says\n"
                "  --output=FILE         instead of IDENTIFIER.enc beside the configuration\n"
                "  --folder=FOLDER       for what is written\n"
                "  --list=FILE           a configuration's path a line; - is standard input\n"
                "  --resume              leave what was encrypted before and is newer than its configuration\n"
                "  --connections=N       to the directory, 16\n"
                "  --inspect             say for whom an encrypted FILE is, how, and whether devices take it\n"
                "  --help, --version\n";

static int complain(int status, const char *text) {
        fprintf(stderr, "sdi-wrap: %s\n", text);
        return status;
}

static Arguments parse_arguments(int argc, char **argv) {
        static const struct option known[] = {
                { "directory", required_argument, NULL, OPTION_DIRECTORY },
                { "certificate", required_argument, NULL, OPTION_CERTIFICATE },
                { "ca", required_argument, NULL, OPTION_CA },
                { "pin", required_argument, NULL, OPTION_PIN },
                { "known-devices", required_argument, NULL, OPTION_KNOWN_DEVICES },
                { "compatible", no_argument, NULL, OPTION_COMPATIBLE },
                { "device", required_argument, NULL, OPTION_DEVICE },
                { "output", required_argument, NULL, OPTION_OUTPUT },
                { "folder", required_argument, NULL, OPTION_FOLDER },
                { "list", required_argument, NULL, OPTION_LIST },
                { "resume", no_argument, NULL, OPTION_RESUME },
                { "connections", required_argument, NULL, OPTION_CONNECTIONS },
                { "inspect", no_argument, NULL, OPTION_INSPECT },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {},
        };
        Arguments arguments = {};
        int c;

        while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0)
                switch (c) {
                case OPTION_DIRECTORY:
                        arguments.directory = optarg;
                        break;
                case OPTION_CERTIFICATE:
                        arguments.certificate = optarg;
                        break;
                case OPTION_CA:
                        arguments.authority = optarg;
                        break;
                case OPTION_PIN:
                        arguments.pin = optarg;
                        break;
                case OPTION_KNOWN_DEVICES:
                        arguments.known_devices = optarg;
                        break;
                case OPTION_COMPATIBLE:
                        arguments.compatible = true;
                        break;
                case OPTION_DEVICE:
                        arguments.job.device = optarg;
                        break;
                case OPTION_OUTPUT:
                        arguments.job.output = optarg;
                        break;
                case OPTION_FOLDER:
                        arguments.job.folder = optarg;
                        break;
                case OPTION_LIST:
                        arguments.list = optarg;
                        break;
                case OPTION_RESUME:
                        arguments.resume = true;
                        break;
                case OPTION_CONNECTIONS:
                        arguments.connections = optarg;
                        break;
                case OPTION_INSPECT:
                        arguments.inspect = true;
                        break;
                case OPTION_HELP:
                        fputs(help_text, stdout);
                        exit(EX_OK);
                case OPTION_VERSION:
                        puts("sdi-wrap " SDI_VERSION);
                        exit(EX_OK);
                default: /* getopt_long() has said what it does not know */
                        exit(EX_USAGE);
                }
        arguments.files = argv + optind;
        arguments.n_files = argc - optind;
        return arguments;
}

static int read_certificate(const char *path, char **ret, size_t *ret_size) {
        char text[PATH_MAX + 64];
        int r;

        r = file_read(AT_FDCWD, path, DEVICE_CERTIFICATE_SIZE_MAX, ret, ret_size);
        if (r >= 0)
                return EX_OK;
        snprintf(text, sizeof(text), "%s: %s", path, strerror(-r));
        return complain(EX_NOINPUT, text);
}

static int inspect(const Arguments *arguments) {
        DeviceCertificate certificate = {};
        int status = EX_OK;

        if (arguments->n_files == 0)
                return complain(EX_USAGE, "--inspect needs a file");
        openssl_start();
        if (arguments->certificate) {
                _cleanup_free_ char *data = NULL;
                size_t n;

                status = read_certificate(arguments->certificate, &data, &n);
                if (status != EX_OK)
                        return status;
                if (device_certificate_parse(data, n, &certificate) < 0)
                        return complain(EX_DATAERR, "--certificate=: not a certificate");
        }
        for (int i = 0; i < arguments->n_files; i++) {
                _cleanup_free_ char *data = NULL;
                size_t n;
                int r;

                printf("%sFile:       %s\n", i > 0 ? "\n" : "", arguments->files[i]);
                r = file_read(AT_FDCWD, arguments->files[i], FILE_SIZE_MAX, &data, &n);
                if (r < 0) {
                        fprintf(stderr, "sdi-wrap: %s: %s\n", arguments->files[i], strerror(-r));
                        status = EX_NOINPUT;
                } else if (inspect_print(data, n, certificate.read, stdout) < 0)
                        status = EX_DATAERR;
        }
        device_certificate_done(&certificate);
        return status;
}

static int add_list(JobList *list, const Arguments *arguments, char reason[static JOB_REASON_MAX]) {
        bool standard = strcmp(arguments->list, "-") == 0;
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, standard ? "/dev/stdin" : arguments->list, LIST_SIZE_MAX, &text, &n);
        if (r < 0) {
                snprintf(reason, JOB_REASON_MAX, "%.300s: %s", arguments->list, strerror(-r));
                return r;
        }
        return job_list_add_lines(list, text, n, standard ? "standard input" : arguments->list,
                        &arguments->job, reason);
}

static int add_jobs(JobList *list, const Arguments *arguments, char reason[static JOB_REASON_MAX]) {
        int r = 0;

        for (int i = 0; i < arguments->n_files && r >= 0; i++) {
                struct stat st;

                r = stat(arguments->files[i], &st) >= 0 && S_ISDIR(st.st_mode)
                                ? job_list_add_folder(list, arguments->files[i], &arguments->job, reason)
                                : job_list_add_file(list, arguments->files[i], &arguments->job, reason);
        }
        if (r >= 0 && arguments->list)
                r = add_list(list, arguments, reason);
        if (r < 0)
                return r;
        if (list->n == 0 ||
                        (list->n > 1 &&
                                        (arguments->job.device || arguments->job.output ||
                                                        arguments->pin))) {
                snprintf(reason, JOB_REASON_MAX, "%s",
                                list->n == 0 ? "no configuration; --help shows how"
                                             : "--device=, --output= and --pin= are for one configuration");
                return -EINVAL;
        }
        return job_list_check(list, reason);
}

static int open_known(const Arguments *arguments, KnownDevices **ret,
                char reason[static KNOWN_DEVICES_REASON_MAX]) {
        const char *configuration = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        char path[PATH_MAX];

        if (arguments->known_devices)
                return known_devices_open(arguments->known_devices, ret, reason);
        if (configuration && configuration[0] == '/')
                snprintf(path, sizeof(path), "%s/sdi/known-devices", configuration);
        else if (home && home[0] == '/')
                snprintf(path, sizeof(path), "%s/.config/sdi/known-devices", home);
        else {
                snprintf(reason, KNOWN_DEVICES_REASON_MAX, "HOME is not set; say --known-devices=");
                return -ENOENT;
        }
        return known_devices_open(path, ret, reason);
}

static int summarize(const JobList *list, const WrapSummary *summary) {
        if (list->n > 1) {
                printf("%zu encrypted", summary->n_made);
                if (summary->n_skipped > 0)
                        printf(", %zu were there already", summary->n_skipped);
                if (summary->n_new > 0)
                        printf(", %zu keys seen for the first time", summary->n_new);
                printf(", %zu failed\n", summary->n_failed);
        }
        return summary->status;
}

static int parse_options(const Arguments *arguments, WrapOptions *options,
                uint8_t pin[static CERTIFICATE_FINGERPRINT_SIZE]) {
        uint64_t connections = CONNECTIONS;

        if (!arguments->directory == !arguments->certificate)
                return complain(EX_USAGE, "say either --directory= or --certificate=");
        if (arguments->pin &&
                        known_devices_parse_fingerprint(arguments->pin, strlen(arguments->pin), pin) < 0)
                return complain(EX_USAGE,
                                "--pin= is not a fingerprint: 64 hexadecimal digits, as `sdictl key show` prints them");
        if (arguments->connections &&
                        (text_parse_u64(arguments->connections, CONNECTIONS_MAX, &connections) < 0 ||
                                        connections == 0))
                return complain(EX_USAGE, "--connections= is a number from 1 to 256");
        *options = (WrapOptions){
                .fetch = { arguments->directory, arguments->authority, arguments->pin != NULL,
                                (unsigned) connections },
                .pin = arguments->pin ? pin : NULL,
                .flags = arguments->compatible ? SEAL_COMPATIBLE : 0,
                .n_workers = (unsigned) MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L),
                .resume = arguments->resume,
        };
        return EX_OK;
}

static int wrap(const Arguments *arguments, JobList *list) {
        _cleanup_(known_devices_freep) KnownDevices *known = NULL;
        uint8_t pin[CERTIFICATE_FINGERPRINT_SIZE];
        _cleanup_free_ char *certificate = NULL;
        char reason[JOB_REASON_MAX];
        WrapSummary summary;
        WrapOptions options;
        int r, status;

        status = parse_options(arguments, &options, pin);
        if (status != EX_OK)
                return status;
        r = add_jobs(list, arguments, reason);
        if (r < 0)
                return complain(r == -ENOENT ? EX_NOINPUT : EX_USAGE, reason);
        if (arguments->certificate) {
                status = read_certificate(arguments->certificate, &certificate, &options.n_certificate);
                if (status != EX_OK)
                        return status;
                options.certificate = certificate;
        }
        if (!options.pin && open_known(arguments, &known, reason) < 0)
                return complain(EX_CONFIG, reason);
        options.known = known;
        options.verbose = list->n <= VERBOSE_MAX;
        openssl_start();
        r = wrap_run(list, &options, &summary, reason);
        status = summarize(list, &summary);
        if (r < 0)
                return complain(r == -EINVAL ? EX_USAGE : EX_OSERR, reason);
        return status;
}

int main(int argc, char **argv) {
        Arguments arguments = parse_arguments(argc, argv);
        JobList list = {};
        int status;

        (void) secrecy_begin(); /* configurations hold secrets */
        status = arguments.inspect ? inspect(&arguments) : wrap(&arguments, &list);
        job_list_done(&list);
        if (fflush(stdout) != 0)
                return complain(EX_IOERR, "cannot write the output");
        return status;
}
