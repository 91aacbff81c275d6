/* controller/program/member.h
 *
 * The part of the backend that is about the members of the control plane: who they are, and
 * changes of that, which are answered once they are committed. Loop thread only. */
#ifndef CONTROLLER_PROGRAM_MEMBER_H
#define CONTROLLER_PROGRAM_MEMBER_H

#include "controller/api/backend.h"

struct backend;

void member_functions(struct backend *b, struct api_backend *ret);

/* Answer what still waits. Zeroed backends are fine. */
void member_close(struct backend *b);

#endif
