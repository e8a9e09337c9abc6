/* The code that is shown on a node, with which somebody gives it to a daemon: base32 (RFC 4648) in groups of four.
 *
 * Eight groups are the node hint (4 bytes) and 16 random bytes. The ninth are two check digits c and d over the 32 digits s before
 * them, in GF(32) with x^5 + x^2 + 1: c is the sum of all s[i], d the sum of w[i] s[i] with w[i] = x^i; for want of a
 * 32nd weight w[31] is w[29], of the same group. The quotient of the two differences names the group that is wrong. */
#ifndef ATTUNE_CODE_H
#define ATTUNE_CODE_H

#include "session/sealed.h"

#include <stdint.h>

/* Random bytes in a code. */
#define ATTUNE_CODE_BITS 16

/* Characters of a code, hyphens and the zero at its end included. */
#define ATTUNE_CODE_TEXT 43

/* Writes the code as people read it. */
void attune_code_write(const uint8_t hint[ATTUNE_HINT], const uint8_t bits[ATTUNE_CODE_BITS],
                       char text[ATTUNE_CODE_TEXT]);

/* The secret that commissioning begins with: BLAKE2b-256 of "attune-commissioning-1", hint and random bytes. */
void attune_code_psk(const uint8_t hint[ATTUNE_HINT], const uint8_t bits[ATTUNE_CODE_BITS], uint8_t psk[32]);

#endif
