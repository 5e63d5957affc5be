/*
 * For a process that will soon be able to open nothing.
 */
#ifndef UL_PKI_PREPARE_H
#define UL_PKI_PREPARE_H

#include "base/error.h"

/* Loads whatever OpenSSL and the C library would load from files at first use (configuration,
 * providers, the time zone, which is UTC from here on). E_CRYPTO. */
int crypto_prepare(struct error *err);

#endif
