/* signal.h: taking over the handler of a signal, and giving it back. */
#ifndef CAWAIT_CORE_OS_SIGNAL_H
#define CAWAIT_CORE_OS_SIGNAL_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

enum { CAW__SIGNALS = 65 }; /* the numbers of signals are below that */

/* Whether a program may go on after a signal of this number that was caught.
 *   any-thread · no-gil · - · never fails · quiet */
bool caw__signal_can_be_caught(int number);

/* Set this handler, and put the one that is there aside, unless it is this one already. A library has one handler.
 *   one thread at a time · no-gil · - · fails(-EINVAL, -errno) · quiet */
int caw__signal_take(int number, void (*handler)(int number));

/* Set the one again that was put aside, unless this handler is not there any more.
 *   one thread at a time · no-gil · - · never fails · quiet */
void caw__signal_give_back(int number, void (*handler)(int number));

/* From inside the handler: set the one again that was put aside, and have it called when this one returns; and set this
 * one again, without putting anything aside.
 *   in a handler · no-gil · - · never fails · quiet */
void caw__signal_pass_on(int number);
void caw__signal_set(int number, void (*handler)(int number));

CAW__INTERNAL_END

#endif
