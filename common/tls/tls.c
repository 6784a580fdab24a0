#include "tls/tls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#if SOMA_NNG_TLS
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#endif

#include "base/file.h"

enum {
    PEM_BYTES_MAX = 4 << 20, // the machine's authorities are 200 KB
    HOST_BYTES = 255
};

static const char machine_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

// Of one side: what its errors are called.
struct side {
    enum reason reason;
    const char *ca_field, *certificate_field, *key_field;
};
static const struct side server_side = {REASON_CONFIG_INVALID, "tls-client-ca", "tls-certificate",
                                        "tls-key"};
static const struct side client_side = {REASON_FIELD_INVALID, "ca_file", "certificate_file",
                                        "key_file"};

bool tls_is_built(void)
{
    return SOMA_NNG_TLS;
}

bool tls_is_address(const char *url)
{
    return strncmp(url, "tls+", 4) == 0 || strncmp(url, "wss", 3) == 0;
}

static bool is_given(const char *file)
{
    return file && file[0];
}

static enum soma_code read_pem(const struct side *side, const char *field, const char *file,
                               char **ret_text, struct soma_error *err)
{
    size_t length;
    bool missing = false;
    struct soma_error why = {0};
    enum soma_code code =
        file_read_all(AT_FDCWD, file, PEM_BYTES_MAX, ret_text, &length, &missing, &why);
    if (code == SOMA_OK && missing)
        return error_set(err, side->reason, field, "there is no file %.200s", file);
    return code == SOMA_OK ? SOMA_OK : error_set(err, side->reason, field, "%.200s", why.text);
}

static enum soma_code refuse(const struct side *side, const char *field, const char *file,
                             const char *what, int rv, struct soma_error *err)
{
    if (rv == NNG_ENOMEM)
        return error_set_no_memory(err);
    return error_set(err, side->reason, field, "%.200s holds no %s that can be used", file, what);
}

static enum soma_code take_authorities(struct nng_tls_config *config, const struct side *side,
                                       const char *file, struct soma_error *err)
{
    char *pem = NULL;
    enum soma_code code = read_pem(side, side->ca_field, file, &pem, err);
    if (code != SOMA_OK)
        return code;
    int rv = nng_tls_config_ca_chain(config, pem, NULL);
    free(pem);
    return rv == 0 ? SOMA_OK : refuse(side, side->ca_field, file, "certificates (PEM)", rv, err);
}

// nng takes a certificate with the key of another one, and then each handshake fails: as at a
// reload between the two files of a renewal.
static bool is_pair(const char *certificate, const char *key)
{
#if SOMA_NNG_TLS
    mbedtls_x509_crt chain;
    mbedtls_pk_context own;
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&own);
    bool matches =
        mbedtls_x509_crt_parse(&chain, (const unsigned char *)certificate,
                               strlen(certificate) + 1) >= 0 &&
        mbedtls_pk_parse_key(&own, (const unsigned char *)key, strlen(key) + 1, NULL, 0) == 0 &&
        mbedtls_pk_check_pair(&chain.pk, &own) == 0;
    mbedtls_pk_free(&own);
    mbedtls_x509_crt_free(&chain);
    return matches;
#else
    (void)certificate;
    (void)key;
    return true;
#endif
}

static enum soma_code take_pair(struct nng_tls_config *config, const struct side *side,
                                const struct tls_files *files, struct soma_error *err)
{
    char *certificate = NULL, *key = NULL;
    enum soma_code code =
        read_pem(side, side->certificate_field, files->certificate, &certificate, err);
    if (code == SOMA_OK)
        code = read_pem(side, side->key_field, files->key, &key, err);
    if (code == SOMA_OK) {
        int rv = nng_tls_config_own_cert(config, certificate, key, NULL);
        if (rv != 0)
            code = refuse(side, side->certificate_field, files->certificate,
                          "certificate (PEM), or its key file no key,", rv, err);
        else if (!is_pair(certificate, key))
            code = error_set(err, side->reason, side->key_field,
                             "the key in %.200s is not that of the certificate in %.200s",
                             files->key, files->certificate);
    }
    if (key)
        explicit_bzero(key, strlen(key));
    free(key);
    free(certificate);
    return code;
}

static enum soma_code config_new(enum nng_tls_mode mode, const struct side *side,
                                 const struct tls_files *files, enum nng_tls_auth_mode auth,
                                 struct nng_tls_config **ret_config, struct soma_error *err)
{
    struct nng_tls_config *config;
    int rv = nng_tls_config_alloc(&config, mode);
    if (rv != 0)
        return error_set(err, rv == NNG_ENOMEM ? REASON_OUT_OF_MEMORY : REASON_INTERNAL, NULL,
                         "TLS: %s", nng_strerror(rv));
    enum soma_code code = SOMA_OK;
    if (nng_tls_config_version(config, NNG_TLS_1_2, NNG_TLS_1_3) != 0 ||
        nng_tls_config_auth_mode(config, auth) != 0)
        code = error_set(err, REASON_INTERNAL, NULL, "TLS cannot be set up");
    if (code == SOMA_OK && is_given(files->ca))
        code = take_authorities(config, side, files->ca, err);
    if (code == SOMA_OK && (is_given(files->certificate) || is_given(files->key)))
        code = take_pair(config, side, files, err);
    if (code != SOMA_OK)
        nng_tls_config_free(config);
    else
        *ret_config = config;
    return code;
}

enum soma_code tls_server_new(const struct tls_files *files, struct nng_tls_config **ret_config,
                              struct soma_error *err)
{
    if (!is_given(files->certificate) || !is_given(files->key))
        return error_set(err, REASON_CONFIG_INVALID,
                         is_given(files->certificate) ? "tls-key" : "tls-certificate",
                         "a TLS address needs tls-certificate and tls-key");
    return config_new(NNG_TLS_MODE_SERVER, &server_side, files,
                      is_given(files->ca) ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE,
                      ret_config, err);
}

// "HOST:PORT/…" or "[HOST]:PORT/…" behind the scheme.
static bool host_of(const char *url, char ret_host[HOST_BYTES + 1])
{
    const char *host = strstr(url, "://");
    if (!host)
        return false;
    host += strlen("://");
    bool is_bracketed = host[0] == '[';
    host += is_bracketed;
    size_t length = strcspn(host, is_bracketed ? "]" : ":/");
    if (length == 0 || length > HOST_BYTES)
        return false;
    memcpy(ret_host, host, length);
    ret_host[length] = '\0';
    return true;
}

enum soma_code tls_client_new(const struct tls_files *files, const char *url,
                              struct nng_tls_config **ret_config, struct soma_error *err)
{
    struct tls_files used = *files;
    char host[HOST_BYTES + 1];
    if (!host_of(url, host))
        return error_set(err, REASON_FIELD_INVALID, "server", "\"%.200s\" names no host", url);
    if (is_given(files->certificate) != is_given(files->key))
        return error_set(err, REASON_FIELD_REQUIRED,
                         is_given(files->key) ? "certificate_file" : "key_file",
                         "a certificate and its key go together");
    if (!is_given(files->ca))
        used.ca = machine_authorities;
    enum soma_code code = config_new(NNG_TLS_MODE_CLIENT, &client_side, &used,
                                     NNG_TLS_AUTH_MODE_REQUIRED, ret_config, err);
    if (code == SOMA_OK && nng_tls_config_server_name(*ret_config, host) != 0) {
        nng_tls_config_free(*ret_config);
        code = error_set_no_memory(err);
    }
    return code;
}

void tls_free(struct nng_tls_config *config)
{
    if (config)
        nng_tls_config_free(config);
}
