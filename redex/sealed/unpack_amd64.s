#include "textflag.h"

// Each group: two loads, the bytes of each number moved to its lane of 32 bits, shifted and masked.

// func unpackWide(dst *uint64, src *byte, groups int, base uint64, l *lanes)
TEXT ·unpackWide(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ groups+16(FP), CX
	VPBROADCASTQ base+24(FP), Y8
	MOVQ l+32(FP), DX
	VMOVDQU (DX), Y5
	VMOVDQU 32(DX), Y6
	VMOVDQU 64(DX), Y7
	MOVQ 96(DX), R9
	MOVQ 104(DX), R8
wide:
	VMOVDQU (SI), X0
	VINSERTI128 $1, (SI)(R8*1), Y0, Y0
	VPSHUFB Y5, Y0, Y0
	VPSRLVD Y6, Y0, Y0
	VPAND Y7, Y0, Y0
	VPMOVZXDQ X0, Y1
	VEXTRACTI128 $1, Y0, X2
	VPMOVZXDQ X2, Y2
	VPADDQ Y8, Y1, Y1
	VPADDQ Y8, Y2, Y2
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, 32(DI)
	ADDQ R9, SI
	ADDQ $64, DI
	DECQ CX
	JNZ wide
	VZEROUPPER
	RET

// func unpackNarrow(dst *uint32, src *byte, groups int, base uint32, l *lanes) (most uint32)
TEXT ·unpackNarrow(SB), NOSPLIT, $0-44
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ groups+16(FP), CX
	MOVL base+24(FP), AX
	VMOVD AX, X8
	VPBROADCASTD X8, Y8
	MOVQ l+32(FP), DX
	VMOVDQU (DX), Y5
	VMOVDQU 32(DX), Y6
	VMOVDQU 64(DX), Y7
	MOVQ 96(DX), R9
	MOVQ 104(DX), R8
	VPXOR Y9, Y9, Y9
narrow:
	VMOVDQU (SI), X0
	VINSERTI128 $1, (SI)(R8*1), Y0, Y0
	VPSHUFB Y5, Y0, Y0
	VPSRLVD Y6, Y0, Y0
	VPAND Y7, Y0, Y0
	VPADDD Y8, Y0, Y0
	VPMAXUD Y0, Y9, Y9
	VMOVDQU Y0, (DI)
	ADDQ R9, SI
	ADDQ $32, DI
	DECQ CX
	JNZ narrow
	VEXTRACTI128 $1, Y9, X0
	VPMAXUD X0, X9, X9
	VPSHUFD $0x4E, X9, X0
	VPMAXUD X0, X9, X9
	VPSHUFD $0xB1, X9, X0
	VPMAXUD X0, X9, X9
	VMOVD X9, AX
	MOVL AX, most+40(FP)
	VZEROUPPER
	RET
