/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/cms-outline.h"

#include "tpm/cms-report.h"
#include "tpm/openssl.h"

#include <errno.h>
#include <openssl/objects.h>

#define RECIPIENT_SIZE_MAX (256 * 1024)
#define SMALL_SIZE_MAX (64 * 1024) /* attributes, algorithm identifiers */

/* CMSVersion: a single digit, and which ones depends on the type. */
static int take_version(Cursor *cursor, const char *allowed) {
        Cursor version;

        if (ber_take(cursor, BER_INTEGER, &version) < 0 || version.left != 1)
                return -EBADMSG;
        for (; *allowed; allowed++)
                if (version.p[0] == *allowed - '0')
                        return 0;
        return -EBADMSG;
}

static int take_nid(Cursor *cursor, int *ret, char text[static CMS_OID_TEXT]) {
        _cleanup_(ASN1_OBJECT_freep) ASN1_OBJECT *object = NULL;
        const unsigned char *p = cursor->p;
        Cursor element;

        if (!ber_is(cursor, BER_OBJECT) || ber_skip(cursor, &element) < 0 || element.left > 64)
                return -EBADMSG;
        object = d2i_ASN1_OBJECT(NULL, &p, (long) element.left);
        if (!object)
                return openssl_error(-EBADMSG);
        *ret = OBJ_obj2nid(object);
        cms_oid_text(text, object);
        return 0;
}

/* Steps over an element that does not concern us, but that must be well formed and not too large. */
static int skip_optional(Cursor *cursor, uint8_t tag, Cursor *ret) {
        Cursor element;

        *ret = CURSOR(cursor->p, 0);
        if (!ber_is(cursor, tag))
                return 0;
        if (ber_skip(cursor, &element) < 0)
                return -EBADMSG;
        if (element.left > SMALL_SIZE_MAX)
                return -E2BIG;
        *ret = element;
        return 0;
}

static int parse_recipients(Cursor *cursor, CmsOutline *outline, CmsReport *report) {
        size_t n = 0;
        BerFrame set;
        Cursor start;

        if (ber_enter(cursor, BER_SET, &set) < 0)
                return -EBADMSG;
        start = *cursor;
        for (; !ber_at_end(cursor, &set); n++) {
                Cursor element;

                if (ber_skip(cursor, &element) < 0)
                        return -EBADMSG;
                if (n == CMS_RECIPIENTS_MAX)
                        return cms_refuse(report, -E2BIG, "encrypted to more than %d recipients",
                                        CMS_RECIPIENTS_MAX);
                if (element.left > RECIPIENT_SIZE_MAX)
                        return cms_refuse(report, -E2BIG, "the entry of a recipient is too long");
        }
        if (n == 0) /* SET SIZE (1..MAX) */
                return -EBADMSG;
        outline->recipients = CURSOR(start.p, start.left - cursor->left);
        return ber_leave(cursor, &set);
}

/* EncryptedContentInfo. */
static int parse_content(Cursor *cursor, CmsOutline *outline, CmsReport *report) {
        char type[CMS_OID_TEXT];
        BerString pieces;
        BerFrame info;
        Cursor piece;
        int nid, r;

        if (ber_enter(cursor, BER_SEQUENCE, &info) < 0 || take_nid(cursor, &nid, type) < 0)
                return -EBADMSG;
        if (nid != NID_pkcs7_data)
                return cms_refuse(report, -EOPNOTSUPP,
                                "what is encrypted is %s, not a configuration (CMS data)", type);
        if (!ber_is(cursor, BER_SEQUENCE) || skip_optional(cursor, BER_SEQUENCE, &outline->algorithm) < 0)
                return -EBADMSG;
        if (ber_at_end(cursor, &info))
                return cms_refuse(
                                report, -EOPNOTSUPP, "the encrypted content is not in the file (detached)");

        if (ber_string_open(*cursor, BER_CONTEXT(0), &pieces) < 0)
                return -EBADMSG;
        outline->content = pieces;
        while ((r = ber_string_next(&pieces, &piece)) > 0)
                outline->content_size += piece.left; /* cannot wrap: all pieces are in the file */
        if (r < 0)
                return -EBADMSG;
        *cursor = pieces.cursor;
        return ber_leave(cursor, &info);
}

/* What follows the content. */
static int parse_rest(Cursor *cursor, CmsOutline *outline) {
        int r;

        if (!outline->authenticated)
                return skip_optional(cursor, BER_CONTEXT(1) | BER_CONSTRUCTED, &outline->free_attributes);
        r = skip_optional(cursor, BER_CONTEXT(1) | BER_CONSTRUCTED, &outline->attributes);
        if (r >= 0)
                r = ber_take(cursor, BER_OCTET_STRING, &outline->mac);
        return r < 0 ? r
                     : skip_optional(cursor, BER_CONTEXT(2) | BER_CONSTRUCTED, &outline->free_attributes);
}

static int parse_enveloped(Cursor *cursor, CmsOutline *outline, CmsReport *report) {
        BerFrame frame;
        int r;

        if (ber_enter(cursor, BER_SEQUENCE, &frame) < 0 ||
                        take_version(cursor, outline->authenticated ? "0" : "0234") < 0)
                return -EBADMSG;
        if (ber_is(cursor, BER_CONTEXT(0) | BER_CONSTRUCTED)) /* originatorInfo: nobody needs it to decrypt */
                return cms_refuse(report, -EOPNOTSUPP, "with the sender's certificates; leave them out");
        r = parse_recipients(cursor, outline, report);
        if (r >= 0)
                r = parse_content(cursor, outline, report);
        if (r >= 0)
                r = parse_rest(cursor, outline);
        return r < 0 ? r : ber_leave(cursor, &frame);
}

/* ContentInfo, to the last byte of the file. */
static int parse_file(Cursor file, CmsOutline *outline, CmsReport *report) {
        BerFrame info, explicit;
        char type[CMS_OID_TEXT];
        int nid, r;

        if (ber_enter(&file, BER_SEQUENCE, &info) < 0 || take_nid(&file, &nid, type) < 0)
                return -EBADMSG;
        outline->authenticated = nid == NID_id_smime_ct_authEnvelopedData;
        if (!outline->authenticated && nid != NID_pkcs7_enveloped)
                return cms_refuse(report, -EOPNOTSUPP, "%s rather than an encrypted configuration", type);
        if (ber_enter(&file, BER_CONTEXT(0) | BER_CONSTRUCTED, &explicit) < 0)
                return -EBADMSG;
        r = parse_enveloped(&file, outline, report);
        if (r < 0)
                return r;
        if (ber_leave(&file, &explicit) < 0 || ber_leave(&file, &info) < 0)
                return -EBADMSG;
        return file.left == 0 ? 0 : cms_refuse(report, -EBADMSG, "something follows the encrypted content");
}

int cms_outline_parse(Cursor file, CmsOutline *ret, CmsReport *report) {
        CmsOutline outline = {};
        int r;

        r = parse_file(file, &outline, report);
        if (r < 0)
                return r;
        *ret = outline;
        return 0;
}
