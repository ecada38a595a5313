/* The conversation with the user, through the login program. */
#ifndef SALLYPORT_CONV_H
#define SALLYPORT_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <security/pam_modules.h>

#include "protocol.h"

/* Something typed. Belongs to the caller, who wipes it. */
struct answer {
    char bytes[ANSWER_MAX + 1];
    size_t length;
    bool given;
};

void answer_wipe(struct answer *answer);
/* style: PAM_TEXT_INFO or PAM_ERROR_MSG. `text` has no NUL at its end. False: the conversation failed. */
bool conv_show(pam_handle_t *pamh, int style, const uint8_t *text, size_t length);
/* style: PAM_PROMPT_ECHO_ON or PAM_PROMPT_ECHO_OFF. False: there is no answer, or one over ANSWER_MAX. */
bool conv_ask(pam_handle_t *pamh, int style, const uint8_t *text, size_t length, struct answer *answer);
/* The password that the stack already has. False if there is no password, or if it is longer than ANSWER_MAX. */
bool conv_first_pass(pam_handle_t *pamh, struct answer *answer);

#endif
