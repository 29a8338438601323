/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/identity-source.h"
#include "agent/onie-eeprom.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void test_values(void **state) {
        static const struct {
                const char *data;
                size_t n;
                int r;
                const char *value;
        } rows[] = {
                { "SN19842256", 10, 0, "SN19842256" },
                { " SN1 \n", 6, 0, "SN1" },
                { "SN1\0\0\0", 6, 0, "SN1" },
                { "a.b_c-d", 7, 0, "a.b_c-d" },
                { "0010", 4, 0, "0010" },
                { "", 0, -ENODATA, "" },
                { " \0\n", 3, -ENODATA, "" },
                { "0000000", 7, -ENODATA, "" },
                { "---", 3, -ENODATA, "" },
                { "Default string", 14, -ENODATA, "" },
                { "To be filled by O.E.M.", 22, -ENODATA, "" },
                { "to be filled BY o.e.m.", 22, -ENODATA, "" },
                { "System Serial Number", 20, -ENODATA, "" },
                { "Not Specified", 13, -ENODATA, "" },
                { "None", 4, -ENODATA, "" },
                { "0123456789", 10, -ENODATA, "" },
                { "SN 1", 4, -EBADMSG, "" },
                { "SN/1", 4, -EBADMSG, "" },
                { "../1", 4, -EBADMSG, "" },
                { "-rf", 3, -EBADMSG, "" },
                { ".hidden", 7, -EBADMSG, "" },
                { "SN\xff", 3, -EBADMSG, "" },
                { "S\0N", 3, -EBADMSG, "" },
                { "$(reboot)", 9, -EBADMSG, "" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char value[IDENTITY_TEXT_MAX + 1] = "";

                if (identity_parse_value(value, rows[i].data, rows[i].n) != rows[i].r ||
                                strcmp(value, rows[i].value) != 0)
                        fail_msg("\"%s\" gave \"%s\"", rows[i].data, value);
        }
}

static void test_long_value(void **state) {
        char value[IDENTITY_TEXT_MAX + 1] = "", data[IDENTITY_TEXT_MAX + 1];

        (void) state;
        memset(data, 'x', sizeof(data));
        assert_int_equal(identity_parse_value(value, data, IDENTITY_TEXT_MAX + 1), -E2BIG);
        assert_int_equal(identity_parse_value(value, data, IDENTITY_TEXT_MAX), 0);
        assert_int_equal(strlen(value), IDENTITY_TEXT_MAX);
}

/* As `uuidgen --sha1 --namespace 904c4fda-dc73-4c83-8ca4-ca2f1ff03feb --name SN19842256` prints it. */
static void test_duid(void **state) {
        Identity identity = { .serial = "SN19842256" };
        char text[2 * IDENTITY_DUID_SIZE + 1];

        (void) state;
        assert_int_equal(identity_set_duid(&identity), 0);
        assert_true(identity.has_duid);
        assert_string_equal(text_hex(text, identity.duid, sizeof(identity.duid)),
                        "0004c900a7c811cf5536a3849e4dc843c177");
}

static void test_json(void **state) {
        Identity identity = { .serial = "SN1", .source = "dmi", .platform = "box-9" }, again;
        _cleanup_free_ char *text = NULL;

        (void) state;
        assert_int_equal(identity_set_duid(&identity), 0);
        assert_int_equal(identity_to_json(&identity, &text), 0);
        assert_int_equal(identity_from_json(text, strlen(text), &again), 0);
        assert_memory_equal(&again, &identity, sizeof(identity));
}

static void test_hostile_json(void **state) {
        static const char *const texts[] = { "", "[]", "{", "{\"serial\":1}", "{\"serial\":\"../../etc\"}",
                "{\"serial\":\"a b\"}", "{\"serial\":\"a\",\"serial\":\"b\"}", "{\"duid\":\"00\"}",
                "{\"duid\":\"zz04c900a7c811cf5536a3849e4dc843c177\"}", "{\"source\":\"seventeen-letters\"}",
                "{\"serial\":\"a\\u0000b\"}" };
        Identity identity;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (identity_from_json(texts[i], strlen(texts[i]), &identity) != -EBADMSG)
                        fail_msg("accepted: %s", texts[i]);
        assert_int_equal(identity_from_json("{}", 2, &identity), 0);
        assert_string_equal(identity.serial, "");
}

/* An EEPROM as ONIE's onie-syseeprom writes it: product name, serial number, platform name; its CRC computed with zlib. */
static const uint8_t eeprom[] = { 'T', 'l', 'v', 'I', 'n', 'f', 'o', 0, 1, 0, 40, 0x21, 6, 'B', 'o', 'x',
        '-', '9', 'k', 0x23, 10, 'S', 'N', '1', '9', '8', '4', '2', '2', '5', '6', 0x28, 12, 'x', '8', '6',
        '_', '6', '4', '-', 'b', 'o', 'x', '-', '9', 0xfe, 4, 0, 0, 0, 0 };

static size_t good_eeprom(uint8_t *data);

static void test_onie(void **state) {
        uint8_t data[64];
        size_t size = good_eeprom(data), whole;
        Cursor tlvs, value;

        (void) state;
        assert_int_equal(onie_eeprom_size(data, ONIE_EEPROM_HEADER_SIZE, &whole), 0);
        assert_int_equal(whole, size);
        assert_int_equal(onie_eeprom_parse(data, size, &tlvs), 0);
        assert_int_equal(onie_eeprom_find(tlvs, ONIE_TLV_SERIAL_NUMBER, &value), 0);
        assert_int_equal(value.left, 10);
        assert_memory_equal(value.p, "SN19842256", 10);
        assert_int_equal(onie_eeprom_find(tlvs, ONIE_TLV_PLATFORM_NAME, &value), 0);
        assert_int_equal(value.left, 12);
        assert_int_equal(onie_eeprom_find(tlvs, 0x77, &value), -ENODATA);
        assert_int_equal(onie_eeprom_find(tlvs, ONIE_TLV_CRC32, &value), -ENODATA);
}

static void test_onie_damaged(void **state) {
        uint8_t data[64];
        size_t size = good_eeprom(data);
        Cursor tlvs;

        (void) state;
        for (size_t n = 0; n < size; n++)
                assert_int_equal(onie_eeprom_parse(data, n, &tlvs), -EBADMSG);
        for (size_t i = 0; i < size; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        data[i] ^= 1 << bit;
                        assert_int_equal(onie_eeprom_parse(data, size, &tlvs), -EBADMSG);
                        data[i] ^= 1 << bit;
                }
        assert_int_equal(onie_eeprom_parse(data, size, &tlvs), 0);
}

/* The CRC of the constant above, once and for all (python3: zlib.crc32(eeprom[:-4])). */
static size_t good_eeprom(uint8_t *data) {
        static const uint8_t crc[] = { 0x58, 0x40, 0x40, 0x75 };

        memcpy(data, eeprom, sizeof(eeprom));
        memcpy(data + sizeof(eeprom) - 4, crc, 4);
        return sizeof(eeprom);
}

/* A file system of the test's own for identity_read(). */
static int enter(void **state) {
        static char root[64];

        strcpy(root, "/tmp/sdi root.XXXXXX");
        *state = mkdtemp(root);
        return *state && chdir(root) == 0 ? 0 : -1;
}

static int leave(void **state) {
        char command[128];

        snprintf(command, sizeof(command), "rm -r '%s'", (char *) *state);
        return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void put(const char *folder, const char *name, const void *data, size_t n) {
        char path[256];

        for (const char *p = folder; (p = strchr(p, '/')); p++) {
                snprintf(path, sizeof(path), "%.*s", (int) (p - folder), folder);
                (void) mkdir(path, 0755);
        }
        (void) mkdir(folder, 0755);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        assert_int_equal(file_replace(path, data, n, 0644, 0), 0);
}

static unsigned n_skipped;

static void on_skip(const char *line) {
        (void) line;
        n_skipped++;
}

static int read_identity(const char *root, const char *sources, Identity *ret) {
        static char command[128], script[] = "echo SN-command; echo more";
        Config config = { .identity_file = (char *) "/serial" };
        char *copy = strdupa(sources), *state, rooted[80];

        for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state))
                config.identity_sources.items[config.identity_sources.n++] = word;
        strcpy(command, "/bin/sh");
        config.identity_command.items[0] = command;
        config.identity_command.items[1] = (char *) "-c";
        config.identity_command.items[2] = script;
        snprintf(rooted, sizeof(rooted), "%s/", root);
        n_skipped = 0;
        return identity_read(&config, rooted, on_skip, ret);
}

static void test_sources(void **state) {
        uint8_t data[300] = { 0 };
        Identity identity;

        assert_int_equal(read_identity(*state, "onie dmi devicetree file", &identity), -ENODATA);
        assert_string_equal(identity.serial, "");
        assert_false(identity.has_duid);
        assert_int_equal(n_skipped, 0);

        put("sys/class/dmi/id", "product_serial", "Default string\n", 15);
        put("sys/class/dmi/id", "product_uuid", "4c4c4544-0042\n", 14);
        put("proc/device-tree", "serial-number", "DT 7\0", 5);
        put(".", "serial", "SN-file\nnot this\n", 17);
        assert_int_equal(read_identity(*state, "onie dmi devicetree file", &identity), 0);
        assert_string_equal(identity.serial, "SN-file");
        assert_string_equal(identity.source, "file");
        assert_string_equal(identity.uuid, "4c4c4544-0042");
        assert_int_equal(n_skipped, 1); /* "DT 7"; a placeholder is nothing to tell */

        put("proc/device-tree", "serial-number", "DT-7\0", 5);
        assert_int_equal(read_identity(*state, "onie dmi devicetree file", &identity), 0);
        assert_string_equal(identity.serial, "DT-7");
        assert_int_equal(read_identity(*state, "file devicetree", &identity), 0);
        assert_string_equal(identity.serial, "SN-file");
        assert_int_equal(read_identity(*state, "command file", &identity), 0);
        assert_string_equal(identity.serial, "SN-command");

        /* Of several EEPROMs the one that is in the format counts. */
        put("sys/bus/i2c/drivers/at24/0-0050", "eeprom", data, sizeof(data));
        put("sys/bus/i2c/drivers/at24/0-0051", "eeprom", "short", 5);
        (void) good_eeprom(data);
        put("sys/bus/i2c/drivers/at24/0-0057", "eeprom", data, sizeof(data));
        assert_int_equal(read_identity(*state, "onie dmi devicetree file", &identity), 0);
        assert_string_equal(identity.serial, "SN19842256");
        assert_string_equal(identity.source, "onie");
        assert_string_equal(identity.platform, "x86_64-box-9");
        assert_true(identity.has_duid);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_long_value),
                cmocka_unit_test(test_duid),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_hostile_json),
                cmocka_unit_test(test_onie),
                cmocka_unit_test(test_onie_damaged),
                cmocka_unit_test_setup_teardown(test_sources, enter, leave),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
