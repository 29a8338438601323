/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The page on which a person pastes serial numbers: HTML that needs no JavaScript, and is read on a telephone as well. */

#include "base/identifier.h"
#include "directory/store.h"

#include <stdio.h>

#define PAGE_DEVICES_MAX 1000
#define PAGE_WORD_MAX 80 /* of what was pasted and is no identifier, so much is shown */

typedef enum PageResult {
        PAGE_FOUND,
        PAGE_UNKNOWN,
        PAGE_NOT_ONE, /* cannot be an identifier */
        PAGE_THROTTLED,
        PAGE_FAILED,
} PageResult;

/* The next word of what was pasted, at *text: its length, and *text behind it; 0 at the end. Between words are blanks, commas and semicolons. */
size_t page_next_word(const char **text, const char **ret_word);

void page_write_head(FILE *page, const char *pasted);
void page_write_begin_results(FILE *page);
void page_write_result(FILE *page, PageResult result, const char *word, size_t n, const Record *record);
void page_write_end_results(FILE *page, unsigned n_found, const char *found);
void page_write_foot(FILE *page);

extern const char page_style[];
