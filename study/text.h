#ifndef GRANGE_STUDY_TEXT_H
#define GRANGE_STUDY_TEXT_H
/* text - small helpers for what people wrote. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* text_line_of_no_utf8 - 0 when all n bytes are UTF-8 (RFC 3629) without a zero byte, else the
 * line, from 1, of the first byte that is not. */
size_t text_line_of_no_utf8(const char *text, size_t n);

/* CLIP - a text as an error message shows it: cut after 60 bytes. Lives to the end of the block. */
enum { CLIP_BYTES = 60 };
const char *text_clip(const char *text, char *out); /* out has CLIP_BYTES + 4 */
#define CLIP(text) text_clip((text), (char[CLIP_BYTES + 4]){ 0 })

/* text_base_name - behind the last '/'. */
const char *text_base_name(const char *path);

/* Base64 of RFC 4648 with padding; text_add_unbase64 is false for anything else. */
void text_add_base64(struct buf *out, const void *data, size_t n);
bool text_add_unbase64(struct buf *out, const char *text, size_t n);

#endif
