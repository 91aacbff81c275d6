/* common/net/pki_x509.h
 *
 * Private to common/net: pki.h on certificates that OpenSSL has already read. */
#ifndef COMMON_NET_PKI_X509_H
#define COMMON_NET_PKI_X509_H

#include "common/net/pki.h"

struct x509_st; /* X509 of OpenSSL. */

int pki_x509_identity(struct x509_st *cert, struct pki_identity *ret, struct err *err);
int pki_x509_pin(struct x509_st *cert, char ret[PKI_PIN_MAX], struct err *err);

int64_t pki_x509_not_after_s(struct x509_st *cert); /* 0 when it cannot be read. */

#endif
