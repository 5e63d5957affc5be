#include "pki/delivery/key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki/delivery/legacy.h"
#include "pki/delivery/pbe.h"
#include "pki/der.h"
#include "pki/private_key.h"

enum {
    KEY_NUMBER_MAX = 1024 + 1, /* bytes of an INTEGER of 8192 bits */
    KEY_EXPONENT_MAX = 8 + 1,  /* public ones are small, and a huge one is paid for at each use */
    KEY_TEXT_MAX = 64
};

/* What a plain key is, as far as it can be told without computing with it. */
struct key_form {
    bool readable;
    char text[KEY_TEXT_MAX]; /* of one that is not: why */
};

static struct key_form refused(const char *text)
{
    struct key_form form = {0};

    snprintf(form.text, sizeof form.text, "%s", text);
    return form;
}

static bool is_even(struct span number)
{
    return number.len == 0 || number.data[number.len - 1] % 2 == 0;
}

/* RFC 8017 A.1.2: version 0, n, e, d, p, q and three more. */
static struct key_form rsa_form(struct span content)
{
    struct der_item number[9];
    size_t count = 0;

    while (count < COUNT_OF(number) && der_take(&content, DER_INTEGER, &number[count]))
        count++;
    if (count == 6 && content.len == 0)
        return refused("DSA, which is not read");
    if (count < COUNT_OF(number) || content.len > 0)
        return refused("RSA, damaged or of more than two primes");
    for (size_t i = 1; i < count; i++)
        if (number[i].content.len > KEY_NUMBER_MAX)
            return refused("RSA of more than 8192 bits, which is not read");
    if (number[2].content.len > KEY_EXPONENT_MAX || is_even(number[1].content) ||
        is_even(number[2].content) || is_even(number[4].content) || is_even(number[5].content))
        return refused("RSA with numbers that no program makes");
    return (struct key_form){.readable = true};
}

/* RFC 5915 3. Only curves with a name: whoever describes one himself decides what it costs. */
static struct key_form ec_form(struct span content, bool is_named)
{
    struct der_item item, curve;

    if (!der_take(&content, DER_INTEGER, &item) || !der_take(&content, DER_OCTET_STRING, &item))
        return refused("EC, damaged");
    if (der_take(&content, DER_CONTEXT_0, &item)) {
        if (!der_take(&item.content, DER_OID, &curve))
            return refused("EC on a curve without a name, which is not read");
        is_named = true;
    }
    if (!is_named)
        return refused("EC without its curve");
    return (struct key_form){.readable = true};
}

static int nid_of(const struct der_item *oid)
{
    const uint8_t *at = oid->whole.data;
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)oid->whole.len);
    int nid = OBJ_obj2nid(object);

    ASN1_OBJECT_free(object);
    return nid;
}

/* RFC 5958 2: algorithm and the key's own form in an OCTET STRING. */
static struct key_form pkcs8_form(struct der_item algorithm, struct span content)
{
    struct der_item oid, parameter, inner, key;

    if (!der_take(&algorithm.content, DER_OID, &oid) ||
        !der_take(&content, DER_OCTET_STRING, &inner))
        return refused("damaged");
    switch (nid_of(&oid)) {
    case NID_ED25519:
    case NID_ED448:
        return (struct key_form){.readable = true};
    case NID_rsaEncryption:
    case NID_rsassaPss:
        if (!der_take(&inner.content, DER_SEQUENCE, &key))
            return refused("RSA, damaged");
        return rsa_form(key.content);
    case NID_X9_62_id_ecPublicKey:
        if (!der_take(&algorithm.content, DER_OID, &parameter))
            return refused("EC on a curve without a name, which is not read");
        if (!der_take(&inner.content, DER_SEQUENCE, &key))
            return refused("EC, damaged");
        return ec_form(key.content, true);
    case NID_dsa:
        return refused("DSA, which is not read");
    case NID_dhKeyAgreement:
    case NID_dhpublicnumber:
    case NID_X25519:
    case NID_X448:
        return refused("for key agreement, not for certificates");
    default:
        return refused("of an unknown kind");
    }
}

static struct key_form plain_form(struct span der)
{
    struct der_item outer, version, second;
    struct span content;

    if (!der_take(&der, DER_SEQUENCE, &outer))
        return refused("cut off or damaged");
    content = outer.content;
    if (!der_take(&content, DER_INTEGER, &version))
        return refused("damaged");
    if (der_take(&content, DER_SEQUENCE, &second))
        return pkcs8_form(second, content);
    if (content.len > 0 && content.data[0] == DER_OCTET_STRING)
        return ec_form(outer.content, false);
    return rsa_form(outer.content);
}

/* A private half that is not the one of its public half would accuse somebody else's key. Costs
 * grow with the cube of the size. */
static bool is_whole(struct object_list *list, EVP_PKEY *key)
{
    uint64_t size = (uint64_t)EVP_PKEY_get_bits(key) / 256 + 1;

    return pbe_pay(list, 4 * size * size * size) && private_key_prove(key, key, NULL) == 0;
}

static int add_read(struct object_list *list, EVP_PKEY *key, const char *where, struct error *err)
{
    AUTO_SECRET struct blob der = {0};
    char text[KEY_TEXT_MAX];
    uint8_t spki[SHA256_LEN];

    crypto_describe_key(key, text, sizeof text);
    if (!is_whole(list, key) || private_key_spki(key, spki, NULL) < 0)
        return object_add(list, OBJECT_PRIVATE_KEY, NULL, err,
                          "%sa private key (%s), damaged: its halves do not belong together", where,
                          text);
    if (list->options->keep_keys)
        private_key_to_der(key, &der, NULL);
    int rc = object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "a private key (%s)", text);
    if (rc < 0)
        return rc;
    struct object *item = &list->items[list->count - 1];
    item->key = blob_take(&der);
    item->has_spki = true;
    memcpy(item->spki_sha256, spki, sizeof spki);
    return 0;
}

static int add_plain(struct object_list *list, struct span der, const char *where,
                     struct error *err)
{
    AUTO_OF(EVP_PKEY) EVP_PKEY *key = NULL;
    struct key_form form = plain_form(der);

    if (form.readable && private_key_read(der, &key, NULL) == 0)
        return add_read(list, key, where, err);
    return object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "%sa private key (%s)", where,
                      form.readable ? "damaged" : form.text);
}

/* What came of trying the passwords: rc and why, or the plain key. */
static int add_opened(struct object_list *list, int rc, const struct error *why, struct span plain,
                      const char *where, struct error *err)
{
    if (rc < 0)
        return object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "%san encrypted private key%s%s",
                          where, rc == E_REFUSED ? " " : ", not read: ", why->text);
    return add_plain(list, plain, where, err);
}

/* EncryptedPrivateKeyInfo (RFC 5958 3). */
struct sealed {
    const X509_SIG *outer;
    struct blob plain;
};

static bool unseal(void *self, const char *password, int len)
{
    struct sealed *sealed = self;
    AUTO_OF(PKCS8_PRIV_KEY_INFO)
    PKCS8_PRIV_KEY_INFO *info = PKCS8_decrypt(sealed->outer, password, len);
    uint8_t *der = NULL;
    int der_len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0;

    if (der_len > 0)
        sealed->plain = blob_copy(span_of(der, (size_t)der_len));
    OPENSSL_clear_free(der, der_len > 0 ? (size_t)der_len : 0);
    return sealed->plain.len > 0;
}

static int add_sealed(struct object_list *list, const X509_SIG *outer, const char *where,
                      struct error *err)
{
    struct sealed sealed = {.outer = outer};
    const X509_ALGOR *algorithm;
    struct error why = {0};
    uint64_t cost = 0;

    X509_SIG_get0(outer, &algorithm, NULL);
    int rc = pbe_cost(algorithm, &cost, &why);
    if (rc == 0)
        rc = pbe_open(list, cost, unseal, &sealed, &why);
    AUTO_SECRET struct blob plain = blob_take(&sealed.plain);
    return add_opened(list, rc, &why, blob_span(&plain), where, err);
}

static bool is_sealed(struct span der)
{
    struct der_item outer, item;

    return der_take(&der, DER_SEQUENCE, &outer) && der_take(&outer.content, DER_SEQUENCE, &item) &&
           der_take(&outer.content, DER_OCTET_STRING, &item);
}

int key_add_der(struct object_list *list, struct span der, const char *where, struct error *err)
{
    AUTO_LEGACY OSSL_LIB_CTX *before = legacy_enter();
    AUTO_OF(X509_SIG) X509_SIG *outer = NULL;
    const uint8_t *at = der.data;
    int rc;

    if (der.len > KEY_DER_MAX)
        return object_add(list, OBJECT_PRIVATE_KEY, NULL, err,
                          "%sa private key, not read: wanted at most %d bytes, got %zu", where,
                          KEY_DER_MAX, der.len);
    if (is_sealed(der))
        outer = d2i_X509_SIG(NULL, &at, (long)der.len);
    rc = outer ? add_sealed(list, outer, where, err) : add_plain(list, der, where, err);
    ERR_clear_error();
    return rc;
}

/* RFC 1421 4.6.1.1, as OpenSSL has written keys for decades: a cipher and its IV. */
struct dek {
    EVP_CIPHER_INFO cipher;
    struct span sealed;
    struct blob plain;
};

static int give_password(char *ret, int size, int writing, void *password)
{
    (void)writing;
    int len = (int)strlen(password);

    if (len > size)
        return -1;
    memcpy(ret, password, (size_t)len);
    return len;
}

static bool undek(void *self, const char *password, int len)
{
    struct dek *dek = self;
    AUTO_SECRET struct blob work = blob_copy(dek->sealed);
    long plain_len = (long)work.len;

    (void)len;
    if (!password || !PEM_do_header(&dek->cipher, work.data, &plain_len, give_password,
                                    (void *)(uintptr_t)password))
        return false;
    /* Padding fits a wrong password once in 256 times. */
    if (plain_len <= 0 || !plain_form(span_of(work.data, (size_t)plain_len)).readable)
        return false;
    dek->plain = blob_copy(span_of(work.data, (size_t)plain_len));
    return true;
}

/* The line that begins with a word, its end included; false when there is none. */
static bool find_line(struct span head, const char *word, struct span *ret)
{
    size_t len = strlen(word);
    const uint8_t *found = memmem(head.data, head.len, word, len);

    if (!found)
        return false;
    struct span rest = span_of(found, head.len - (size_t)(found - head.data));
    for (len = 0; len < rest.len && rest.data[len] != '\r' && rest.data[len] != '\n'; len++)
        continue;
    *ret = span_of(rest.data, len);
    return true;
}

/* False when head is not one of an encrypted key, or its cipher is not known. */
static bool read_head(struct span head, EVP_CIPHER_INFO *ret)
{
    struct span line;
    char text[256];

    if (!find_line(head, "DEK-Info:", &line) || line.len > 128)
        return false;
    snprintf(text, sizeof text, "Proc-Type: 4,ENCRYPTED\n%.*s\n", (int)line.len,
             (const char *)line.data);
    bool known = PEM_get_EVP_CIPHER_INFO(text, ret) && ret->cipher;
    ERR_clear_error();
    return known;
}

static int add_dek(struct object_list *list, struct span head, struct span der, const char *where,
                   struct error *err)
{
    enum { COST = 1000 }; /* one MD5 and the cipher */
    struct dek dek = {.sealed = der};
    struct error why = {0};
    int rc = E_FORMAT;

    if (!read_head(head, &dek.cipher))
        error_set(&why, rc, "its cipher is not known here");
    else
        rc = pbe_open(list, COST, undek, &dek, &why);
    AUTO_SECRET struct blob plain = blob_take(&dek.plain);
    return add_opened(list, rc, &why, blob_span(&plain), where, err);
}

int key_add_pem(struct object_list *list, struct span head, struct span der, const char *where,
                struct error *err)
{
    struct span line;
    int rc;

    if (der.len > KEY_DER_MAX || !find_line(head, "ENCRYPTED", &line))
        return key_add_der(list, der, where, err);
    AUTO_LEGACY OSSL_LIB_CTX *before = legacy_enter();
    rc = add_dek(list, head, der, where, err);
    ERR_clear_error();
    return rc;
}
