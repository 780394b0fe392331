#include "textflag.h"

// func vfork(clone *cloneArgs, size uintptr, steps *step, count uintptr) (pid int)
//
// The child shares our memory and this stack until it executes its program, so it touches neither:
// it works through the steps with registers alone, and leaves an error in the step that failed.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-40
	MOVQ	clone+0(FP), DI
	MOVQ	size+8(FP), SI
	MOVQ	steps+16(FP), R12
	MOVQ	count+24(FP), R13
	MOVQ	$435, AX // clone3
	SYSCALL
	TESTQ	AX, AX
	JZ	child
	MOVQ	AX, pid+32(FP)
	RET
child:
	TESTQ	R13, R13
	JZ	leave
	MOVQ	0(R12), AX
	MOVQ	8(R12), DI
	MOVQ	16(R12), SI
	MOVQ	24(R12), DX
	MOVQ	32(R12), R10
	SYSCALL
	CMPQ	AX, $-4095
	JCC	failed
	ADDQ	$48, R12
	DECQ	R13
	JMP	child
failed:
	MOVQ	AX, 40(R12)
leave:
	MOVQ	$127, DI
	MOVQ	$231, AX // exit_group
	SYSCALL
	JMP	leave
