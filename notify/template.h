/*
 * Text with named fields: `{field}` stands for a value, `{{` and `}}` for braces. There is nothing
 * else, so whoever writes a template can neither run nor read anything. Values are made harmless
 * (base/text.h) and never looked at for fields again.
 */
#ifndef UL_NOTIFY_TEMPLATE_H
#define UL_NOTIFY_TEMPLATE_H

#include "base/error.h"
#include "base/fields.h"

enum { TEMPLATE_SUBJECT_MAX = 240 };

/*
 * Fills a template: "Subject: ...", an empty line, the body. A field alone on its line is a block:
 * its line breaks stay, each line is indented as the field was, and an empty value removes the
 * line. Elsewhere line breaks are shown as escapes. The subject is cut to TEMPLATE_SUBJECT_MAX.
 * name is for messages. E_INPUT, naming template and line: an unknown field, a stray brace, no
 * Subject line. Owned by the caller.
 */
int template_fill(const char *name, const char *text, const struct fields *fields,
                  char **ret_subject, char **ret_body, struct error *err);

#endif
