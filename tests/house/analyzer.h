/*
 * Read before every file that clang-tidy looks at (tests/house/tidy.py): tells the analyser what it
 * cannot see across files, that these never return 0.
 */
#ifndef UL_TESTS_HOUSE_ANALYZER_H
#define UL_TESTS_HOUSE_ANALYZER_H

#include "base/error.h"

#define error_set(err, code, ...) ((error_set)(err, code, __VA_ARGS__), (code))
#define error_set_errno(err, errnum, ...) ((error_set_errno)(err, errnum, __VA_ARGS__), E_IO)
#define error_wrap(err, code, ...) ((error_wrap)(err, code, __VA_ARGS__), (code))

#endif
