/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/cms-maker.h"

#include "tpm/openssl.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

DEFINE_CLEANUP(CMS_ContentInfo, CMS_ContentInfo_free)

static void must(bool ok) {
        if (!ok) {
                ERR_print_errors_fp(stderr);
                abort();
        }
}

static void set_oaep(const CmsMaker *maker, CMS_RecipientInfo *info) {
        EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(info);

        must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0);
        must(EVP_PKEY_CTX_set_rsa_oaep_md_name(context, maker->oaep_digest, NULL) > 0);
        must(EVP_PKEY_CTX_set_rsa_mgf1_md_name(context,
                             maker->mask_digest ? maker->mask_digest : maker->oaep_digest, NULL) > 0);
        if (maker->oaep_label) {
                char *label = OPENSSL_strdup(maker->oaep_label);

                must(EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int) strlen(label)) > 0);
        }
}

static void set_agreement(const CmsMaker *maker, CMS_RecipientInfo *info) {
        EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(info);

        if (maker->agreement_digest)
                must(EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_get_digestbyname(maker->agreement_digest)) >
                                0);
        must(EVP_PKEY_CTX_set_ecdh_cofactor_mode(context, maker->cofactor) > 0);
        if (maker->wrap) {
                _cleanup_(EVP_CIPHER_freep) EVP_CIPHER *wrap = EVP_CIPHER_fetch(NULL, maker->wrap, NULL);

                must(EVP_EncryptInit_ex(CMS_RecipientInfo_kari_get0_ctx(info), wrap, NULL, NULL, NULL) == 1);
        }
}

static void write_file(const CmsMaker *maker, CMS_ContentInfo *cms, BIO *content, int flags, BIO *out) {
        switch (maker->format) {
        case CMS_MAKER_DER:
                must(i2d_CMS_bio(out, cms) == 1);
                break;
        case CMS_MAKER_PEM:
                must(PEM_write_bio_CMS_stream(out, cms, content, flags) == 1);
                break;
        case CMS_MAKER_SMIME:
                must(SMIME_write_CMS(out, cms, content, flags) == 1);
                break;
        case CMS_MAKER_STREAM:
                must(i2d_CMS_bio_stream(out, cms, content, flags) == 1);
                break;
        }
}

static void change_points(const CmsMaker *maker, CMS_ContentInfo *cms) {
        STACK_OF(CMS_RecipientInfo) *infos = CMS_get0_RecipientInfos(cms);

        for (int i = 0; i < sk_CMS_RecipientInfo_num(infos); i++) {
                ASN1_BIT_STRING *point;

                must(CMS_RecipientInfo_kari_get0_orig_id(sk_CMS_RecipientInfo_value(infos, i), NULL, &point,
                                     NULL, NULL, NULL) == 1);
                maker->change_point(point);
        }
}

void cms_make(const CmsMaker *maker, const void *content, size_t n, uint8_t **ret, size_t *ret_size) {
        _cleanup_(BIO_free_allp) BIO *in = BIO_new_mem_buf(content, (int) n), *out = BIO_new(BIO_s_mem());
        _cleanup_(EVP_CIPHER_freep) EVP_CIPHER *cipher =
                        EVP_CIPHER_fetch(NULL, maker->cipher ? maker->cipher : "AES-256-GCM", NULL);
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
        int flags = CMS_BINARY | CMS_PARTIAL | (maker->format == CMS_MAKER_STREAM ? CMS_STREAM : 0);
        char *data;
        long size;

        must(in && out && cipher);
        BIO_set_mem_eof_return(in, 0);
        cms = CMS_encrypt(NULL, NULL, cipher, flags);
        must(cms);
        if (maker->content_type)
                must(CMS_set1_eContentType(cms, OBJ_nid2obj(maker->content_type)) == 1);
        for (size_t i = 0; i < maker->n_recipients; i++) {
                CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, maker->recipients[i],
                                CMS_KEY_PARAM | (maker->key_identifier ? CMS_USE_KEYID : 0));

                must(info);
                if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)
                        set_agreement(maker, info);
                else if (maker->oaep_digest)
                        set_oaep(maker, info);
        }
        if (maker->format == CMS_MAKER_DER || maker->format == CMS_MAKER_PEM ||
                        maker->format == CMS_MAKER_SMIME)
                must(CMS_final(cms, in, NULL, flags) == 1);
        if (maker->change_point)
                change_points(maker, cms);
        write_file(maker, cms, in, flags, out);

        size = BIO_get_mem_data(out, &data);
        *ret = malloc((size_t) size + 1);
        must(*ret);
        memcpy(*ret, data, (size_t) size);
        *ret_size = (size_t) size;
}
