/* common/base/hash.h
 *
 * Hashes for tables and digests (XXH64, Collet's published specification) and the checksum of our
 * files and frames (CRC-32C, Castagnoli polynomial, as in RFC 3720 appendix B.4). Pure. */
#ifndef COMMON_BASE_HASH_H
#define COMMON_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH64 of n bytes. Equal on every machine: replicas compare it. */
uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed);

/* Mix one more value into a running digest; order matters. */
uint64_t hash_mix(uint64_t digest, uint64_t value);

/* CRC-32C of n bytes; start with crc 0, feed the result back to continue. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
