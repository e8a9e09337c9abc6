/* Registers of the Arm MPS2+ board with FPGA image AN386, as far as they are used.
 *
 * Sources: Arm DAI 0386 (memory map, interrupts), Arm DDI 0479 (CMSDK UART and watchdog), Arm DDI 0403 (ARMv7-M system
 * registers). */
#ifndef ATTUNE_MPS2_REGISTERS_H
#define ATTUNE_MPS2_REGISTERS_H

#include <stdint.h>

#define CLOCK_HZ 25000000u

typedef struct uart_registers {
    volatile uint32_t data;
    volatile uint32_t state;
    volatile uint32_t control;
    volatile uint32_t interrupt; /* read: status; write ones: clear */
    volatile uint32_t divider;   /* of the clock, at least 16 */
} uart_registers;

#define UART_STATE_TX_FULL 0x1u
#define UART_STATE_RX_FULL 0x2u
#define UART_CONTROL_TX 0x1u
#define UART_CONTROL_RX 0x2u
#define UART_CONTROL_RX_INTERRUPT 0x8u
#define UART_INTERRUPT_RX 0x2u

#define UART0 ((uart_registers *)0x40004000u)
#define UART1 ((uart_registers *)0x40005000u)
#define UART2 ((uart_registers *)0x40006000u)
#define UART0_RX_IRQ 0
#define UART1_RX_IRQ 2

typedef struct watchdog_registers {
    volatile uint32_t load;
    volatile uint32_t value;
    volatile uint32_t control;
    volatile uint32_t clear;
} watchdog_registers;

#define WATCHDOG_CONTROL_INTERRUPT 0x1u
#define WATCHDOG_CONTROL_RESET 0x2u
#define WATCHDOG ((watchdog_registers *)0x40008000u)

typedef struct systick_registers {
    volatile uint32_t control;
    volatile uint32_t reload;
    volatile uint32_t value;
} systick_registers;

#define SYSTICK ((systick_registers *)0xE000E010u)
#define SYSTICK_CONTROL_RUN 0x7u /* processor clock, interrupt, enable */

#define INTERRUPT_ENABLE (*(volatile uint32_t *)0xE000E100u)
#define RESET_CONTROL (*(volatile uint32_t *)0xE000ED0Cu) /* AIRCR */
#define RESET_REQUEST 0x05FA0004u
#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xE000ED88u) /* CPACR */
#define COPROCESSOR_FPU 0x00F00000u

#endif
