#include "pki/der.h"

/* One element (X.690 8.1): its content, and its whole length. */
struct element {
    int tag; /* -1 when there is none; only single-byte tags are met here */
    struct span content;
    size_t whole;
    bool truncated; /* content is what is there of it */
};

static struct element no_element(void)
{
    return (struct element){.tag = -1};
}

static struct element first_element(struct span in)
{
    struct element out = {0};
    size_t head = 2, len = 0;

    if (in.len < 2 || (in.data[0] & 0x1F) == 0x1F)
        return no_element();
    out.tag = in.data[0];
    if (in.data[1] == 0x80) {
        len = in.len - head; /* indefinite: the end is somewhere inside */
    } else if (in.data[1] < 0x80) {
        len = in.data[1];
    } else {
        size_t count = in.data[1] & 0x7F;

        if (count > 4)
            return no_element();
        head += count;
        if (in.len < head)
            return no_element();
        for (size_t i = 2; i < head; i++)
            len = len << 8 | in.data[i];
    }
    out.truncated = len > in.len - head;
    out.whole = head + len;
    out.content = span_of(in.data + head, out.truncated ? in.len - head : len);
    return out;
}

/* The element behind one; none when that one was cut. */
static struct element next_element(const struct element *one, struct span in)
{
    if (one->tag < 0 || one->truncated)
        return no_element();
    return first_element(span_of(in.data + one->whole, in.len - one->whole));
}

/* What begins with a version number: keys and PKCS#12. */
static enum der_form versioned_form(const struct element *version, const struct element *second)
{
    int number = version->content.len == 1 ? version->content.data[0] : -1;

    if (number == 3 && second->tag == DER_SEQUENCE)
        return DER_PKCS12;
    if (number == 0 && second->tag == DER_INTEGER)
        return DER_PRIVATE_KEY; /* PKCS#1 (RFC 8017 A.1.2), DSA */
    if ((number == 0 || number == 1) && second->tag == DER_SEQUENCE)
        return DER_PRIVATE_KEY; /* PKCS#8 (RFC 5958 2) */
    if (number == 1 && second->tag == DER_OCTET_STRING)
        return DER_PRIVATE_KEY; /* SEC1 (RFC 5915 3) */
    return DER_UNKNOWN;
}

enum der_form der_form_of(struct span data, size_t *ret_len)
{
    struct element whole = first_element(data);
    struct element first = first_element(whole.content);
    struct element second = next_element(&first, whole.content);
    enum der_form form = DER_UNKNOWN;

    *ret_len = data.len;
    if (whole.tag != DER_SEQUENCE)
        return DER_UNKNOWN;
    if (first.tag == DER_INTEGER)
        form = versioned_form(&first, &second);
    else if (first.tag == DER_OID)
        form = DER_PKCS7;
    else if (first.tag == DER_SEQUENCE && second.tag == DER_OCTET_STRING)
        form = DER_PRIVATE_KEY; /* EncryptedPrivateKeyInfo (RFC 5958 3) */
    else if (first.tag == DER_SEQUENCE && second.tag == DER_BIT_STRING)
        form = DER_PUBLIC_KEY; /* RFC 5280 4.1: subjectPublicKeyInfo alone */
    else if (first.tag == DER_SEQUENCE)
        form = DER_SIGNED;
    /* A cut key is still a key that lay in the open. */
    if (whole.truncated)
        return form == DER_PRIVATE_KEY || form == DER_PKCS12 ? form : DER_TRUNCATED;
    *ret_len = whole.whole;
    return form;
}

bool der_next(struct span *in, struct der_item *ret)
{
    struct element one = first_element(*in);
    struct span whole = span_of(in->data, one.whole);

    if (one.tag < 0 || one.truncated || in->data[1] == 0x80)
        return false;
    /* In this order: in may be the content of ret, of which the first element is wanted. */
    *in = span_of(in->data + one.whole, in->len - one.whole);
    *ret = (struct der_item){one.tag, one.content, whole};
    return true;
}

bool der_take(struct span *in, int tag, struct der_item *ret)
{
    return in->len > 0 && in->data[0] == tag && der_next(in, ret);
}
