#include "pki/delivery/zip.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <zip.h>

#include "base/text.h"

/* Of the end of the central directory (APPNOTE 4.3.16), and of its 64-bit form (4.3.14-15). */
enum {
    END_LEN = 22,
    END_COUNT = 10,
    END_COMMENT_LEN = 20,
    COMMENT_MAX = 65535,
    LOCATOR_LEN = 20,
    LOCATOR_OFFSET = 8,
    END64_LEN = 56,
    END64_COUNT = 32
};

/* Of one entry in the directory, and in front of its content (4.3.12, 4.3.7). */
enum {
    END_OFFSET = 16,
    CENTRAL_LEN = 46,
    CENTRAL_SIZE = 24,
    CENTRAL_NAME_LEN = 28, /* and those of its extra field and comment */
    CENTRAL_LOCAL = 42,
    LOCAL_LEN = 30,
    LOCAL_FLAGS = 6,
    LOCAL_STREAMED = 8, /* among the flags */
    LOCAL_CRC = 14,     /* and the packed size */
    LOCAL_SIZE = 22
};

struct entry {
    zip_uint64_t index;
    char name[DELIVERY_ORIGIN_MAX]; /* as it is shown */
    zip_uint64_t size;
    struct blob data;
    enum object_kind refused_as;        /* OBJECT_OTHER or OBJECT_BROKEN, with: */
    char refusal[DELIVERY_SUMMARY_MAX]; /* "" when it is read */
};

struct archive {
    zip_t *zip;
    struct blob mended;
    struct entry *entries;
    size_t count;
};

static void archive_done(struct archive *archive)
{
    for (size_t i = 0; i < archive->count; i++)
        blob_wipe(&archive->entries[i].data);
    free(archive->entries);
    if (archive->zip)
        zip_discard(archive->zip);
    blob_wipe(&archive->mended);
}
#define AUTO_ARCHIVE __attribute__((cleanup(archive_done)))

static bool begins(struct span data, size_t at, const char *magic, size_t len)
{
    return at <= data.len && data.len - at >= len && memcmp(data.data + at, magic, len) == 0;
}

static uint64_t little(struct span data, size_t at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | data.data[at + i - 1];
    return value;
}

/* What the 64-bit end in front of the end says; 0 when there is none. */
static uint64_t count_64(struct span data, size_t end)
{
    if (end < LOCATOR_LEN || !begins(data, end - LOCATOR_LEN, "PK\6\7", 4))
        return 0;
    uint64_t at = little(data, end - LOCATOR_LEN + LOCATOR_OFFSET, 8);
    if (data.len < END64_LEN || at > data.len - END64_LEN || !begins(data, at, "PK\6\6", 4))
        return 0;
    return little(data, at + END64_COUNT, 8);
}

/*
 * How many entries are announced, before libzip builds its list of them; it would also try each of
 * several ends with all of its list. Wanted is exactly one that reaches to the last byte.
 */
static int count_listed(struct span data, uint64_t *ret, struct error *why)
{
    size_t last = data.len < END_LEN ? 0 : data.len - END_LEN;
    size_t first = last > COMMENT_MAX ? last - COMMENT_MAX : 0;
    size_t ends = 0;

    for (size_t at = first; data.len >= END_LEN && at <= last; at++) {
        if (!begins(data, at, "PK\5\6", 4) ||
            little(data, at + END_COMMENT_LEN, 2) != data.len - at - END_LEN)
            continue;
        uint64_t wide = count_64(data, at);

        *ret = little(data, at + END_COUNT, 2);
        *ret = wide > *ret ? wide : *ret;
        ends++;
    }
    if (ends == 0)
        return error_set(why, E_FORMAT,
                         "damaged ZIP: its end is missing or something follows it (was the "
                         "download cut off?)");
    return ends > 1 ? error_set(why, E_FORMAT, "damaged ZIP: it has %zu ends", ends) : 0;
}

static zip_t *open_source(struct span data, int flags, int *ret_reason)
{
    zip_error_t reason;
    zip_source_t *source = NULL;
    zip_t *zip = NULL;

    zip_error_init(&reason);
    source = zip_source_buffer_create(data.data, data.len, 0, &reason);
    if (source)
        zip = zip_open_from_source(source, ZIP_RDONLY | flags, &reason);
    if (!zip)
        zip_source_free(source);
    *ret_reason = zip_error_code_zip(&reason);
    zip_error_fini(&reason);
    return zip;
}

/*
 * Info-ZIP writing into a pipe tells the size in front of an entry, but checksum and packed size
 * only behind it: right, and more than libzip takes for consistent. Makes it "all of it is told
 * behind"; whatever does not agree stays as it is. False when there was nothing to do.
 */
static bool mend_streamed(struct blob *data)
{
    struct span file = blob_span(data);
    bool mended = false;
    size_t at = 0;

    for (size_t end = data->len - END_LEN; at == 0 && end > 0; end--)
        if (begins(file, end, "PK\5\6", 4))
            at = little(file, end + END_OFFSET, 4);
    for (size_t i = 0; i < ZIP_LISTED_MAX && begins(file, at, "PK\1\2", 4); i++) {
        if (file.len - at < CENTRAL_LEN)
            break;
        size_t local = little(file, at + CENTRAL_LOCAL, 4);

        if (local < file.len && file.len - local >= LOCAL_LEN && begins(file, local, "PK\3\4", 4) &&
            (file.data[local + LOCAL_FLAGS] & LOCAL_STREAMED) != 0 &&
            little(file, local + LOCAL_CRC, 8) == 0 && little(file, local + LOCAL_SIZE, 4) != 0 &&
            little(file, local + LOCAL_SIZE, 4) == little(file, at + CENTRAL_SIZE, 4)) {
            memset(data->data + local + LOCAL_SIZE, 0, 4);
            mended = true;
        }
        at += CENTRAL_LEN + little(file, at + CENTRAL_NAME_LEN, 2) +
              little(file, at + CENTRAL_NAME_LEN + 2, 2) +
              little(file, at + CENTRAL_NAME_LEN + 4, 2);
    }
    return mended;
}

/* Without the zeros and line ends that block devices and careless copies put behind the end. */
static struct span without_padding(struct span data)
{
    size_t kept = data.len;

    while (kept > 0 && memchr("\r\n \t", data.data[kept - 1], 5))
        kept--;
    for (size_t at = kept; at > 0 && kept - at <= END_LEN; at--) {
        if (!begins(data, at - 1, "PK\5\6", 4) || data.len - at + 1 < END_LEN)
            continue;
        size_t end = at - 1 + END_LEN + little(data, at - 1 + END_COMMENT_LEN, 2);

        return end >= kept && end < data.len ? span_of(data.data, end) : data;
    }
    return data;
}

/* ret_mended must live as long as ret, which may read from it. */
static int open_zip(struct span data, zip_t **ret, struct blob *ret_mended, struct error *why)
{
    uint64_t listed = 0;
    int reason = 0;
    int rc = count_listed(data, &listed, why);

    if (rc < 0)
        return rc;
    if (listed > ZIP_LISTED_MAX)
        return error_set(
            why, E_TOO_LARGE,
            "a ZIP archive with too much in it: wanted at most %d entries, got %" PRIu64,
            ZIP_LISTED_MAX, listed);
    *ret = open_source(data, ZIP_CHECKCONS, &reason);
    if (!*ret && reason == ZIP_ER_INCONS) {
        *ret_mended = blob_copy(data);
        if (mend_streamed(ret_mended))
            *ret = open_source(blob_span(ret_mended), ZIP_CHECKCONS, &reason);
    }
    /* All else of it is in order then, and its names are only shown. */
    if (!*ret && reason == ZIP_ER_EXISTS)
        *ret = open_source(data, 0, &reason);
    if (*ret)
        return 0;
    zip_error_t text;
    zip_error_init_with_code(&text, reason);
    error_set(why, E_FORMAT, "damaged ZIP: %s", zip_error_strerror(&text));
    zip_error_fini(&text);
    return E_FORMAT;
}

/* What desktops put beside the files: nobody misses it. */
static bool is_desktop(const char *name)
{
    static const char *const names[] = {".DS_Store", "Thumbs.db", "desktop.ini"};
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcasecmp(base, names[i]) == 0)
            return true;
    return text_starts(name, "__MACOSX/") || text_starts(base, "._");
}

static bool is_folder(const char *name)
{
    return name[0] == '\0' || text_ends(name, "/");
}

static void refuse(struct entry *entry, enum object_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(struct entry *entry, enum object_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(entry->refusal, sizeof entry->refusal, format, args);
    va_end(args);
    entry->refused_as = kind;
}

/* Its content is a path. */
static bool is_link(zip_t *zip, zip_uint64_t index)
{
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;

    if (zip_file_get_external_attributes(zip, index, 0, &system, &attributes) < 0 ||
        (system != ZIP_OPSYS_UNIX && system != ZIP_OPSYS_OS_X))
        return false;
    return ((attributes >> 16) & S_IFMT) == S_IFLNK;
}

/* What its directory alone says against it. */
static void judge(zip_t *zip, const zip_stat_t *st, struct entry *entry)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_CRC | ZIP_STAT_ENCRYPTION_METHOD;

    if (is_link(zip, st->index))
        refuse(entry, OBJECT_OTHER, "a symbolic link, which is not followed");
    else if ((st->valid & needed) != needed)
        refuse(entry, OBJECT_BROKEN, "damaged: its size is not told");
    else if (st->encryption_method != ZIP_EM_NONE)
        refuse(entry, OBJECT_BROKEN,
               "needs a password: please unpack it and drop the certificates");
    else if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        refuse(entry, OBJECT_BROKEN,
               "packed in a way that is not read (method %u): please unpack it and drop the "
               "certificates",
               (unsigned)st->comp_method);
    else if (st->size > ZIP_ENTRY_MAX)
        refuse(entry, OBJECT_OTHER,
               "larger than any certificate: wanted at most %d bytes, got %" PRIu64, ZIP_ENTRY_MAX,
               (uint64_t)st->size);
    else if (st->size > ZIP_RATIO_MAX * st->comp_size)
        refuse(entry, OBJECT_BROKEN,
               "it would unpack to more than %d times its size, as no certificate does",
               ZIP_RATIO_MAX);
}

/* Lists what is to be read; E_TOO_LARGE when it is too much. */
static int plan(struct archive *archive, size_t len, struct error *why)
{
    zip_int64_t listed = zip_get_num_entries(archive->zip, 0);
    zip_uint64_t total = 0, packed = 0;

    archive->entries = mem_alloc(ZIP_ENTRIES_MAX, sizeof *archive->entries);
    for (zip_int64_t i = 0; i < listed; i++) {
        zip_stat_t st;

        if (zip_stat_index(archive->zip, (zip_uint64_t)i, ZIP_FL_ENC_GUESS, &st) < 0)
            return error_set(why, E_FORMAT, "damaged ZIP: entry %" PRId64 " cannot be read", i);
        packed += st.valid & ZIP_STAT_COMP_SIZE ? st.comp_size : 0;
        if (packed > len)
            return error_set(why, E_FORMAT, "damaged ZIP: its entries lie over each other");
        AUTO_FREE char *name = mem_strdup(st.valid & ZIP_STAT_NAME ? st.name : "");
        for (char *c = name; *c != '\0'; c++)
            *c = *c == '\\' ? '/' : *c;
        if (is_folder(name) || is_desktop(name))
            continue;
        if (archive->count == ZIP_ENTRIES_MAX)
            return error_set(why, E_TOO_LARGE,
                             "a ZIP archive with too much in it: wanted at most %d files, got more",
                             ZIP_ENTRIES_MAX);
        struct entry *entry = &archive->entries[archive->count++];
        *entry = (struct entry){.index = (zip_uint64_t)i, .size = st.size};
        text_escape(name, entry->name, sizeof entry->name);
        judge(archive->zip, &st, entry);
        total += entry->refusal[0] == '\0' ? st.size : 0;
    }
    if (total > ZIP_TOTAL_MAX)
        return error_set(why, E_TOO_LARGE,
                         "a ZIP archive with too much in it: wanted at most %d bytes, got %" PRIu64,
                         ZIP_TOTAL_MAX, (uint64_t)total);
    return 0;
}

/* All of it, to the byte where libzip has compared size and checksum; -1 is the archive's failure.
 */
static int unpack(zip_file_t *file, struct entry *entry)
{
    AUTO_SECRET struct blob data = {mem_alloc(entry->size + 1, 1), entry->size + 1};
    size_t used = 0;
    zip_int64_t got;

    do {
        got = zip_fread(file, data.data + used, data.len - used);
        used += got > 0 ? (size_t)got : 0;
    } while (got > 0 && used < data.len);
    if (got < 0)
        return -1;
    if (used != entry->size)
        return 1;
    entry->data = blob_take(&data);
    entry->data.len = used;
    return 0;
}

/* A damaged content is told of the entry; a lie about its place or size fails the archive. */
static int unpack_entry(struct archive *archive, struct entry *entry, struct error *why)
{
    zip_file_t *file = zip_fopen_index(archive->zip, entry->index, 0);
    zip_error_t *reason = file ? zip_file_get_error(file) : zip_get_error(archive->zip);
    int rc = file ? unpack(file, entry) : -1;
    int code = rc < 0 ? zip_error_code_zip(reason) : ZIP_ER_OK;
    int ret = 0;

    if (code == ZIP_ER_CRC)
        refuse(entry, OBJECT_BROKEN, "damaged: its checksum (CRC) is wrong");
    else if (code == ZIP_ER_ZLIB || code == ZIP_ER_COMPRESSED_DATA)
        refuse(entry, OBJECT_BROKEN, "damaged: it cannot be unpacked");
    else if (rc != 0)
        ret = error_set(why, E_FORMAT, "damaged ZIP: entry %s: %s", entry->name,
                        rc < 0 ? zip_error_strerror(reason) : "another size than was announced");
    if (file)
        zip_fclose(file);
    return ret;
}

static int unpack_all(struct archive *archive, struct error *why)
{
    int rc = 0;

    for (size_t i = 0; i < archive->count && rc == 0; i++)
        if (archive->entries[i].refusal[0] == '\0')
            rc = unpack_entry(archive, &archive->entries[i], why);
    return rc;
}

/* An object for what no recogniser made one of. */
static int add_note(struct reading *reading, enum object_kind kind, const char *origin,
                    const char *text, struct error *err)
{
    char joined[2 * DELIVERY_ORIGIN_MAX];
    int rc = object_add(&reading->list, kind, NULL, err, "%s", text);

    if (rc < 0)
        return rc;
    snprintf(joined, sizeof joined, "%s%s%s", reading->origin, reading->depth > 0 ? " > " : "",
             origin);
    struct object *item = &reading->list.items[reading->list.count - 1];
    text_escape(joined, item->origin, sizeof item->origin);
    return 0;
}

static int add_entry(struct reading *reading, const struct entry *entry, struct error *err)
{
    char origin[DELIVERY_ORIGIN_MAX + 8];
    size_t before = reading->list.count, repeated = reading->list.repeated;

    snprintf(origin, sizeof origin, "entry %s", entry->name);
    if (entry->refusal[0] != '\0')
        return add_note(reading, entry->refused_as, origin, entry->refusal, err);
    int rc = reading_add_part(reading, blob_span(&entry->data), origin, err);
    if (rc == 0 && reading->list.count == before && reading->list.repeated == repeated)
        rc = add_note(reading, OBJECT_OTHER, origin, reading->part, err);
    return rc;
}

static int add_all(struct reading *reading, const struct archive *archive, struct error *err)
{
    int rc = 0;

    reading->in_archive = true;
    for (size_t i = 0; i < archive->count && rc == 0; i++)
        rc = add_entry(reading, &archive->entries[i], err);
    if (rc == 0 && archive->count == 0)
        rc = object_add(&reading->list, OBJECT_BROKEN, NULL, err, "an empty ZIP archive");
    return rc;
}

/* Also one that unpacks itself, where libzip finds its way in it. */
static bool is_zip(struct span data)
{
    struct error why = {0};
    uint64_t listed;

    return begins(data, 0, "PK\3\4", 4) || begins(data, 0, "PK\5\6", 4) ||
           begins(data, 0, "PK00PK\3\4", 8) ||
           (begins(data, 0, "MZ", 2) && count_listed(data, &listed, &why) == 0);
}

int zip_read(struct span data, struct reading *reading, struct error *err)
{
    AUTO_ARCHIVE struct archive archive = {0};
    size_t since = reading->list.count;
    struct error why = {0};

    if (!is_zip(data))
        return 0;
    if (!reading_may_open(reading, true))
        return reading_unopened(reading,
                                "a ZIP archive inside of something else, which is not opened: "
                                "please unpack it and drop the certificates",
                                err);
    data = without_padding(data);
    int rc = open_zip(data, &archive.zip, &archive.mended, &why);
    if (rc == 0)
        rc = plan(&archive, data.len, &why);
    if (rc == 0)
        rc = unpack_all(&archive, &why);
    if (rc < 0) {
        rc = object_add(&reading->list, OBJECT_BROKEN, NULL, err, "%s", why.text);
        return rc < 0 ? rc : reading_say(reading, reading->list.items[since].note);
    }
    rc = add_all(reading, &archive, err);
    if (rc < 0)
        return rc;
    reading_summarise(reading, "ZIP", since);
    return 1;
}
