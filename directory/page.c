/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/page.h"

#include "base/text.h"
#include "tpm/certificate.h"

#include <string.h>

#define BETWEEN " \t\r\n,;"

size_t page_next_word(const char **text, const char **ret_word) {
        const char *p = *text + strspn(*text, BETWEEN);
        size_t n = strcspn(p, BETWEEN);

        *ret_word = p;
        *text = p + n;
        return n;
}

/* Nothing that somebody pasted is markup. */
static void write_escaped(FILE *page, const char *text, size_t n) {
        for (size_t i = 0; i < n; i++)
                switch (text[i]) {
                case '<':
                        fputs("&lt;", page);
                        break;
                case '>':
                        fputs("&gt;", page);
                        break;
                case '&':
                        fputs("&amp;", page);
                        break;
                case '"':
                        fputs("&quot;", page);
                        break;
                case '\'':
                        fputs("&#39;", page);
                        break;
                default:
                        if ((unsigned char) text[i] >= 0x20 || text[i] == '\n' || text[i] == '\t')
                                fputc(text[i], page);
                }
}

const char page_style[] =
                ":root { color-scheme: light dark; }\n"
                "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1rem; }\n"
                "h1 { font-size: 1.4rem; }\n"
                "textarea { width: 100%; box-sizing: border-box; font: 1rem/1.5 ui-monospace, monospace; padding: .5rem; }\n"
                "button { font: inherit; padding: .5rem 1.25rem; margin-top: .5rem; }\n"
                "ul { list-style: none; padding: 0; }\n"
                "li { border: 1px solid #8888; border-radius: .4rem; padding: .6rem .9rem; margin: .6rem 0; overflow-wrap: anywhere; }\n"
                "li strong { font: bold 1.1rem ui-monospace, monospace; }\n"
                "li code { display: block; font: .95rem/1.6 ui-monospace, monospace; word-spacing: .2rem; }\n"
                ".no { border-style: dashed; }\n"
                ".why { opacity: .8; }\n";

void page_write_head(FILE *page, const char *pasted) {
        fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<title>Certificates of devices</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n"
              "<h1>Certificates of devices</h1>\n"
              "<p>Paste the serial numbers of your devices. With its certificate you encrypt a device's first configuration, so that nobody "
              "but the device can read it.</p>\n"
              "<form method=\"post\" action=\"/\">\n"
              "<label for=\"serials\">Serial numbers</label>\n"
              "<textarea id=\"serials\" name=\"serials\" rows=\"4\" required spellcheck=\"false\" autocapitalize=\"characters\" "
              "placeholder=\"SN19842256\">",
                        page);
        write_escaped(page, pasted, strlen(pasted));
        fputs("</textarea>\n<button>Look them up</button>\n</form>\n", page);
}

void page_write_begin_results(FILE *page) {
        fputs("<h2>Devices</h2>\n<ul>\n", page);
}

static void write_no(FILE *page, const char *word, size_t n, const char *why) {
        fputs("<li class=\"no\"><strong>", page);
        write_escaped(page, word, MIN(n, (size_t) PAGE_WORD_MAX));
        fprintf(page, "%s</strong> <span class=\"why\">%s</span></li>\n", n > PAGE_WORD_MAX ? "…" : "", why);
}

static void write_found(FILE *page, const Record *record) {
        char text[CERTIFICATE_FINGERPRINT_TEXT];

        /* An identifier needs no escaping. */
        fprintf(page,
                        "<li class=\"yes\"><strong>%s</strong>\n<span class=\"why\">fingerprint of its key, SHA-256</span><code>%s</code>\n"
                        "<a href=\"/certificates/%s.crt\" download>%s.crt</a></li>\n",
                        record->id, certificate_format_fingerprint(text, record->fingerprint), record->id,
                        record->id);
}

void page_write_result(FILE *page, PageResult result, const char *word, size_t n, const Record *record) {
        switch (result) {
        case PAGE_FOUND:
                write_found(page, record);
                break;
        case PAGE_UNKNOWN:
                write_no(page, word, n,
                                "is not known here. Look at the label once more: letters count as they are written.");
                break;
        case PAGE_NOT_ONE:
                write_no(page, word, n, "cannot be a serial number.");
                break;
        case PAGE_THROTTLED:
                write_no(page, word, n,
                                "was not looked up: too many unknown serial numbers have come from your address. Try later.");
                break;
        case PAGE_FAILED:
                write_no(page, word, n, "could not be looked up now. Try again.");
                break;
        }
}

void page_write_end_results(FILE *page, unsigned n_found, const char *found) {
        fputs("</ul>\n", page);
        if (n_found > 1)
                fprintf(page,
                                "<form method=\"post\" action=\"/certificates.tar\">\n<input type=\"hidden\" name=\"serials\" value=\"%s\">\n"
                                "<button>All %u as a tar file</button>\n</form>\n",
                                found, n_found);
}

void page_write_foot(FILE *page) {
        fputs("<p class=\"why\">A fingerprint is what <code>sdictl key show</code> prints on the device itself. Compare it before you trust a "
              "certificate, or pin it: <code>sdi-wrap --pin=…</code></p>\n</body>\n</html>\n",
                        page);
}
