#define _GNU_SOURCE

#include "conv.h"

#include <stdlib.h>
#include <string.h>

void answer_wipe(struct answer *answer) {
    explicit_bzero(answer, sizeof(*answer));
}

/* Keeps `text` when it fits. */
static bool keep(struct answer *answer, const char *text) {
    size_t length = strnlen(text, ANSWER_MAX + 1);

    answer_wipe(answer);
    if (length > ANSWER_MAX)
        return false;
    memcpy(answer->bytes, text, length);
    answer->length = length;
    answer->given = true;
    return true;
}

static void wipe_and_free(struct pam_response *response) {
    if (response == NULL)
        return;
    if (response->resp != NULL)
        explicit_bzero(response->resp, strlen(response->resp));
    free(response->resp);
    free(response);
}

/*
 * Invariants:
 * - success without a response, or with an empty one, is no answer: cron's conversation does just that;
 * - after a failure the response is not read: it may not be ours;
 * - what was typed is wiped in the program's memory before it is freed.
 */
static bool converse(pam_handle_t *pamh, int style, const uint8_t *text, size_t length,
                     struct answer *answer) {
    char shown[TEXT_MAX + 1];
    struct pam_message message = {.msg_style = style, .msg = shown};
    const struct pam_message *messages = &message;
    struct pam_response *response = NULL;
    const void *item = NULL;
    const struct pam_conv *conv;
    bool done;

    if (length > TEXT_MAX || pam_get_item(pamh, PAM_CONV, &item) != PAM_SUCCESS || item == NULL)
        return false;
    conv = item;
    memcpy(shown, text, length);
    shown[length] = '\0';
    if (conv->conv == NULL || conv->conv(1, &messages, &response, conv->appdata_ptr) != PAM_SUCCESS)
        return false;
    done = answer == NULL ||
           (response != NULL && response->resp != NULL && keep(answer, response->resp));
    wipe_and_free(response);
    return done;
}

bool conv_show(pam_handle_t *pamh, int style, const uint8_t *text, size_t length) {
    return converse(pamh, style, text, length, NULL);
}

bool conv_ask(pam_handle_t *pamh, int style, const uint8_t *text, size_t length, struct answer *answer) {
    return converse(pamh, style, text, length, answer);
}

bool conv_first_pass(pam_handle_t *pamh, struct answer *answer) {
    const void *password = NULL;

    if (pam_get_item(pamh, PAM_AUTHTOK, &password) != PAM_SUCCESS || password == NULL)
        return false;
    return keep(answer, password);
}
