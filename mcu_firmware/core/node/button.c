#include "node/button.h"

#include <stddef.h>
#include <string.h>

static void let_go(attune_button *button, uint8_t i) {
    button->waiting -= 1;
    button->sent = (uint8_t)(button->sent - (i < button->sent));
    memmove(&button->press[i], &button->press[i + 1], (size_t)(button->waiting - i) * sizeof button->press[0]);
}

void attune_button_press(attune_button *button, uint64_t tick_ms, uint8_t class_index) {
    if (button->waiting == ATTUNE_PRESSES) {
        button->dropped += 1;
        let_go(button, 0);
    }
    button->pressed += 1;
    button->press[button->waiting] = (attune_press){tick_ms, button->pressed, class_index};
    button->waiting += 1;
}

void attune_button_restart(attune_button *button, uint64_t now_ms) {
    button->sent = 0;
    attune_retry_start(&button->retry, now_ms, ATTUNE_PRESS_RETRY_MS);
}

void attune_button_poll(attune_button *button, uint64_t now_ms) {
    if (button->sent == 0) {
        attune_retry_rest(&button->retry, now_ms);
    } else if (attune_retry_due(&button->retry, now_ms)) {
        button->sent = 0;
    }
}

const attune_press *attune_button_next(const attune_button *button) {
    return button->sent < button->waiting ? &button->press[button->sent] : NULL;
}

void attune_button_sent(attune_button *button) { button->sent += 1; }

void attune_button_acknowledge(attune_button *button, uint32_t number) {
    for (uint8_t i = 0; i < button->waiting; i++) {
        if (button->press[i].number == number) {
            let_go(button, i);
            return;
        }
    }
}
