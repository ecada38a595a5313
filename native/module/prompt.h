/* What PROMPT and WITHDRAW lead to. docs/reference/protocol.md, "Sequence". */
#ifndef SALLYPORT_PROMPT_H
#define SALLYPORT_PROMPT_H

#include "dialogue.h"
#include "wire.h"

void prompt_open(struct dialogue *dialogue, const struct wire_frame *frame);
void prompt_withdraw(struct dialogue *dialogue, const struct wire_frame *frame);

#endif
