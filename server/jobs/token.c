#include "jobs/token.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum {
    MAC_CHARACTERS = 2 * SHA256_DIGEST_SIZE
};

static const char file_name[] = "token.key";

enum soma_code token_key_open(const char *data_directory, struct token_key *ret_key,
                              struct soma_error *err)
{
    FD_CLEANUP int fd = open(data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", data_directory);
    char *bytes = NULL;
    size_t length = 0;
    bool missing = false;
    enum soma_code code =
        file_read_all(fd, file_name, sizeof ret_key->bytes, &bytes, &length, &missing, err);
    if (code == SOMA_OK && missing) {
        random_bytes(ret_key->bytes, sizeof ret_key->bytes);
        return file_write_atomic(fd, file_name, ret_key->bytes, sizeof ret_key->bytes, 0600, err);
    }
    if (code == SOMA_OK && length != sizeof ret_key->bytes)
        code = error_set(err, REASON_DATA_DAMAGED, NULL,
                         "%s/%s has %zu bytes, not %zu: remove it, and running jobs lose their "
                         "tokens",
                         data_directory, file_name, length, sizeof ret_key->bytes);
    if (code == SOMA_OK)
        memcpy(ret_key->bytes, bytes, sizeof ret_key->bytes);
    free(bytes);
    return code;
}

static void put_mac(const struct token_key *key, const char *text, size_t length,
                    char ret_mac[MAC_CHARACTERS])
{
    struct hmac_sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&context, sizeof key->bytes, key->bytes);
    hmac_sha256_update(&context, length, (const uint8_t *)text);
    hmac_sha256_digest(&context, sizeof digest, digest);
    base16_encode_update(ret_mac, sizeof digest, digest);
}

void token_make(const struct token_key *key, const char *id, uint32_t attempt,
                char ret_token[TOKEN_SIZE])
{
    int length = snprintf(ret_token, TOKEN_SIZE, "job.%s.%" PRIu32 ".", id, attempt);
    put_mac(key, ret_token, (size_t)length, ret_token + length);
    ret_token[(size_t)length + MAC_CHARACTERS] = '\0';
}

bool token_check(const struct token_key *key, const char *token, char ret_id[ID_SIZE],
                 uint32_t *ret_attempt)
{
    char mac[MAC_CHARACTERS];
    size_t length = strlen(token);
    if (length <= MAC_CHARACTERS || length >= TOKEN_SIZE)
        return false;
    put_mac(key, token, length - MAC_CHARACTERS, mac);
    if (!memeql_sec(mac, token + length - MAC_CHARACTERS, MAC_CHARACTERS))
        return false;
    // token_make wrote it, so it has all of its parts.
    const char *id = token + strlen("job.");
    int id_length = (int)strcspn(id, ".");
    snprintf(ret_id, ID_SIZE, "%.*s", id_length, id);
    *ret_attempt = (uint32_t)strtoul(id + id_length + 1, NULL, 10);
    return true;
}
