/* MD5 (RFC 1321): not to protect anything, but because published data sets are split by it. */
#ifndef SE_IO_MD5_H
#define SE_IO_MD5_H

#include "base.h"

void se_md5(const void *data, size_t bytes, uint8_t digest[16]);

#endif
