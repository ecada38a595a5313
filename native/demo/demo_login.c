/*
 * sallyport-demo: one login through real PAM, with a service file from a directory of the caller's, for
 * `npm start` and for trying a stack before it goes to /etc/pam.d.
 *
 *   sallyport-demo DIRECTORY SERVICE USER
 *
 * Asks on the terminal; without one it takes one line of standard input for each prompt. Prints what
 * pam_authenticate returned and exits with that number (0: logged in).
 */
#include <security/pam_appl.h>
#include <security/pam_misc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_LINE = 1024 };

static void free_responses(struct pam_response *responses, int count) {
    for (int i = 0; i < count; i++) {
        if (responses[i].resp != NULL)
            explicit_bzero(responses[i].resp, strlen(responses[i].resp));
        free(responses[i].resp);
    }
    free(responses);
}

/* One line of standard input, without its end; NULL at the end of input. */
static char *read_answer(void) {
    char line[LONGEST_LINE];
    char *answer = NULL;
    if (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        answer = strdup(line);
    }
    explicit_bzero(line, sizeof line);
    return answer;
}

static int answer_from_input(int count, const struct pam_message **messages, struct pam_response **responses,
                             void *data) {
    (void)data;
    struct pam_response *made = calloc((size_t)count, sizeof *made);
    if (made == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        const int style = messages[i]->msg_style;
        printf("%s\n", messages[i]->msg);
        if (style != PAM_PROMPT_ECHO_OFF && style != PAM_PROMPT_ECHO_ON)
            continue;
        made[i].resp = read_answer();
        if (made[i].resp == NULL) {
            free_responses(made, count);
            return PAM_CONV_ERR;
        }
    }
    *responses = made;
    return PAM_SUCCESS;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: sallyport-demo DIRECTORY SERVICE USER\n");
        return 2;
    }
    const struct pam_conv conversation = {isatty(STDIN_FILENO) ? misc_conv : answer_from_input, NULL};
    pam_handle_t *handle = NULL;
    int result = pam_start_confdir(argv[2], argv[3], &conversation, argv[1], &handle);
    if (result == PAM_SUCCESS)
        result = pam_authenticate(handle, 0);
    printf("%s: %s\n", result == PAM_SUCCESS ? "Logged in" : "Refused", pam_strerror(handle, result));
    if (handle != NULL)
        pam_end(handle, result);
    return result;
}
