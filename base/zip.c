#include "base/zip.h"

#include <zstd.h>

#include "base/must.h"

enum { PACK_MIN = 256, PACK_LEVEL = 1 }; /* below that a frame's header eats the gain */

bool zip_pack(const void *data, size_t n, struct buf *out)
{
    if (n < PACK_MIN)
        return false;
    size_t bound = ZSTD_compressBound(n);
    buf_reserve(out, bound);
    size_t packed = ZSTD_compress(out->data + out->n, bound, data, n, PACK_LEVEL);
    if (ZSTD_isError(packed) || packed >= n) {
        out->data[out->n] = '\0';
        return false;
    }
    out->n += packed;
    out->data[out->n] = '\0';
    return true;
}

bool zip_unpack(const void *data, size_t n, size_t max, struct buf *out)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, n);

    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max)
        return false;
    buf_reserve(out, (size_t)size);
    size_t got = ZSTD_decompress(out->data + out->n, (size_t)size, data, n);
    bool good = !ZSTD_isError(got) && got == size;
    if (good)
        out->n += got;
    out->data[out->n] = '\0';
    return good;
}
