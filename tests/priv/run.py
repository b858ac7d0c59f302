#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the privileged-mode guests on doppel, or with --qemu on QEMU TCG as an oracle.

run.py [--qemu] [--accel ENGINE] [-v] EMULATOR [GUEST...]
run.py --script EMULATOR: prints a shell script that runs them with -accel kvm where the processor is
QEMU's TCG and GUESTS are in the folder of that name; its output is for
run.py --judge FILE

Each guest prints "ok NAME" or "FAIL NAME: ..." per check on the debug console and leaves through
isa-debug-exit: status 1 (all passed) or 3. The last line adds them up.
"""
import os
import re
import subprocess
import sys

GUESTS = "build/tests/priv"

# name, command line of the guest, -cpu, -smp, expected end: "exit" or "reset" (triple fault)
RUNS = [
    ("cpuid", "", "max", 1, "exit"),
    ("cpuid", "", "qemu64", 1, "exit"),
    ("cpuid", "", "x86-64-v1", 1, "exit"),
    ("cpuid", "", "x86-64-v2", 1, "exit"),
    ("cpuid", "", "x86-64-v3", 1, "exit"),
    ("cpuid", "", "max,-xsave", 1, "exit"),
    ("cpuid", "", "max,-avx,-pku,-smap", 1, "exit"),
    ("cpuid", "", "max,-sse3,-sse4.1,-bmi1,-cx16", 1, "exit"),
    ("sys", "", "max", 1, "exit"),
    ("smp", "", "max", 2, "exit"),
    ("debug", "", "max", 1, "exit"),
    ("v86", "", "max", 1, "exit"),
    ("tasks", "", "max", 1, "exit"),
    ("gates", "", "max", 1, "exit"),
    ("seg", "", "max", 1, "exit"),
    ("modes", "", "max", 1, "exit"),
    ("intr", "", "max", 1, "exit"),
    ("tlb", "", "max", 1, "exit"),
    ("paging", "", "max", 1, "exit"),
    ("smm", "", "max", 1, "exit"),
    ("exc64", "", "max", 1, "exit"),
    ("exc64", "triple1", "max", 1, "reset"),
    ("exc64", "triple2", "max", 1, "reset"),
]

# Checks in which QEMU 7.2 TCG differs from the SDM: (guest, check, why), both regular expressions.
QEMU_DIFFERS = [
    (".*", "INT1.*", "INT1 raises #UD"),
    ("exc64", "LOCK MOV", "LOCK is ignored where it is undefined"),
    ("exc64", "LOCK HLT at level 3: #UD|#UD before #PF", "LOCK is checked late"),
    ("exc64", "(SSE|MMX) with EM.*", "EM is not looked at"),
    ("exc64", "the next x87 instruction too|an MMX instruction too|#MF before #PF",
     "pending x87 exceptions are raised by FWAIT only"),
    ("exc64", "DIVSS unmasked|the same without OSXMMEXCPT|LDMXCSR of reserved bits",
     "no unmasked SSE exceptions"),
    ("exc64", ".* through RBP|a DS prefix with RBP too|PUSH to a non-canonical.*|.*RSP0 not canonical",
     "#GP or a plain error code for non-canonical stacks"),
    ("exc64", "SYSEXIT at level 3", "not there on this vendor"),
    (".*", "INT.* DPL 0|INT 40h.*|INT 13, then #NP.*", "error codes of 64-bit gates are vector * 16"),
    ("exc64", "#UD: .*", "no EXT bit, and vector * 16 in 64-bit mode"),
    ("exc64", "unaligned (read|write)|MOVUPS off 16|FLD m80 off 8|#AC .*", "no #AC"),
    ("exc64", "read across the canonical boundary|again|JMP .*non-can.*|CALL .*non-can.*|RET .*non-can.*",
     "canonical checks come late"),
    ("exc64", "read-modify-write is a write", "the read faults first"),
    ("exc64", "(RD|WR)MSR of no MSR", "unknown MSRs read as 0"),
    ("intr", "gate not present", "no EXT bit, and vector * 16 in 64-bit mode"),
    ("intr", "which stays masked", "LVT entries can be unmasked while disabled"),
    ("intr", "CR8 = 16", "takes any CR8"),
    ("modes", "a word at FFFFh.*|on the stack.*|a dword at FFFDh.*|a byte at 10000h.*|"
     "limits are 64 KiB again.*|jump beyond.*", "no segment limits"),
    ("modes", "and stay 0|EFER bit .*|clearing LME while paging", "reserved bits are taken"),
    ("modes", "code with L and D|SYSCALL .*", "SYSCALL as AMD has it; L with D is not refused"),
    ("seg", "descriptor table.*", "far jumps do not set the accessed bit; legacy types in 64-bit mode"),
    ("seg", ".*(beyond|limit|write|across|read|at 0|10000h|nothing|FFFF).*|LTR of null|"
     "ENTER .*", "no segment limits or rights"),
    ("seg", "null SS with RPL 3.*|LTR: base.*|LLDT: base.*|LAR of half.*", "not checked"),
    ("gates", "#UD.*", "no EXT bit"),
    ("gates", "level stays|.*beyond the limit|.*too small|.*SS not present|call gate: not present|"
     "INT: not present", "no limits; #TS or #NP for absent stacks"),
    ("gates", "iret with VM.*|does not set VM|sets VIP.*", "IRET at level 3 can enter v86 mode"),
    ("gates", "offset not canonical|null SS to 32.*|null SS of RPL 1.*|RIP not canonical.*|L and D",
     "not checked"),
    ("tasks", "RF is set.*", "RF is not set in saved flags"),
    ("tasks", "TSS in the LDT|SS not present", "#TS or #NP instead"),
    ("tasks", "T bit.*|DR6.BT", "the T bit is not looked at"),
    ("v86", "a word at FFFFh.*|INT to level 1", "no segment limits; level not checked"),
    ("v86", "redirected.*|handled in.*|CLI, STI.*|PUSHF after.*|after CLI|POPF sets.*|VIF, not.*|"
     "16-bit IRET.*|sets VIF|STI .*", "no VME and PVI"),
    ("debug", "after STI.*|not right after MOV SS|MOV SS from it.*",
     "shadows of STI and MOV SS hold wrongly for debug exceptions"),
    ("debug", "REP MOVSB: once|two at once|with TF", "breakpoints in REP, and DR6 of several hits"),
    ("debug", "DR6 with.*|bits 12.*|GD:.*|and is cleared", "reserved bits; GD"),
    ("smp", "CR0 after INIT: CD.*", "INIT sets CD and NW"),
    ("cpuid", "rdseed|waitpkg|svm|xop|tbm", "not tied to the CPUID bit, or decoded as something else"),
    ("sys", "SYSRETQ to.*|at level 0|on the caller's stack.*", "SYSRET as AMD has it"),
    ("sys", "WRMSR .*|WRGSBASE not can.*|RDMSR of an MSR.*", "MSRs take any value"),
    ("sys", "XSAVE with TS|lock.*|LEA, then.*|MONITOR of.*", "not checked"),
    ("tlb", "implicit access .*", "AC opens SMAP for implicit accesses too"),
    ("tlb", "NX without NXE .*", "leaves P clear beside RSVD"),
    ("paging", ".*PDPTE.*|present again.*", "reads PDPTEs on each walk and does not check them"),
    ("exc64", "15 prefixes .*", "fetches before it counts"),
    ("smm", "RIP, and the SMI.*|an NMI waits for RSM", "the SMI comes some instructions after OUT"),
    ("smm", "the flag said so", "the flag is not set"),
    ("smm", "locked|does not open", "no D_LCK on this chip"),
    ("exc64", "RF is pushed", "RF is not set in pushed flags"),
]

# What Linux's KVM does differently on that processor.
KVM_DIFFERS = [
    ("debug", "IN and OUT|four ports|a word that reaches into it", "no I/O breakpoints on ports that exit"),
    ("cpuid", "monitor|vmx|sse4a|3dnow|cmpccxadd|xsavec|xsaves", "instructions are the processor's own, with and without the bit"),
    ("cpuid", "avx.*|fma|f16c|vaes", "QEMU 7.2 does not intercept XSETBV, so KVM does not know XCR0"),
    ("intr", "a higher one is not|STI, (NOP|PUSHF), CLI: before CLI",
     "VMRUN does not take the interrupt shadow, which is gone after an exit"),
]


def differs(guest, name, lists):
    return any(re.fullmatch(g, guest) and re.fullmatch(n, name)
               for known in lists for g, n, _ in known)


def command(emulator, accel, guest, append, cpu, smp):
    cmd = [emulator, "-accel", accel, "-cpu", cpu, "-m", "128M",
           "-smp", str(smp), "-display", "none", "-serial", "none", "-monitor", "none",
           "-debugcon", "stdio", "-global", "isa-debugcon.iobase=0x5e9", "-no-reboot", "-device", "pc-testdev", "-device",
           "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", f"{GUESTS}/{guest}.elf"]
    if append:
        cmd += ["-append", append]
    if guest == "smm":
        cmd += ["-machine", "pc,smm=on"]
        if accel == "tcg": # SeaBIOS would take the mode for itself
            cmd += ["-bios", "qboot.rom", "-device", "VGA"]
    if accel == "tcg":
        cmd += ["-nodefaults"]
    return cmd


def name_of(guest, append, cpu, smp):
    return guest + (f" {append}" if append else "") + (f" -smp {smp}" if smp > 1 else "") + \
        (f" -cpu {cpu}" if cpu != "max" else "")


def run(emulator, accel, guest, append, cpu, smp, end, verbose):
    try:
        p = subprocess.run(command(emulator, accel, guest, append, cpu, smp),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=30)
        out, status = p.stdout, p.returncode
    except subprocess.TimeoutExpired as e:
        out, status = e.stdout or b"", "timeout"
    known = [QEMU_DIFFERS] if accel == "tcg" else []
    return judge(name_of(guest, append, cpu, smp), guest, end, out.decode("latin-1"), status, known,
                 verbose)


def judge(label, guest, end, text, status, known, verbose):
    """How many checks passed and failed in what a guest wrote, differences that are known apart."""
    lines = text.splitlines()
    passed = failed = 0
    section = ""
    for line in lines:
        if verbose:
            print(line)
        if line.startswith("# "):
            section = line[2:]
        elif line.startswith("FAIL "):
            name = line[5:].split(": expected")[0]
            if not differs(guest, name, known):
                failed += 1
                print(f"{label}: [{section}] {line}")
        elif line.startswith("   "):
            pass
        elif end == "reset" and "triple fault" in line:
            pass
        elif not line.startswith("ok ") and not re.match(r"\d+ passed", line):
            print(f"{label}: {line}")
    passed = sum(line.startswith("ok ") for line in lines)
    total = re.search(r"^(\d+) passed, (\d+) failed$", "\n".join(lines), re.M)
    if total:
        passed = int(total.group(1))
    if status is None: # of a transcript: what was written says it
        ended = bool(total) if end == "exit" else "triple fault" in text
    else:
        ended = bool(total) and status in (1, 3) if end == "exit" else not total and status == 0
    if not ended:
        failed += 1
        print(f"{label}: ended with status {status}" + ("" if lines else ", no output"))
    print(f"{label:40} {passed} passed, {failed} failed")
    return passed, failed


# The processor below KVM is told to the guest, which leaves out what would end it there.
KVM_RUNS = [(g, a or "tcg", c, s, e) for g, a, c, s, e in RUNS if g != "cpuid" or c == "max"]


def script(emulator):
    for guest, append, cpu, smp, _ in KVM_RUNS:
        cmd = " ".join(command(emulator, "kvm", guest, append, cpu, smp))
        print(f"echo '=== {name_of(guest, append, cpu, smp)}'")
        print(f"timeout -s KILL 120 {cmd} </dev/null 2>&1 | grep -v '^ok '")


def judge_all(path):
    with open(path, encoding="latin-1") as f:
        parts = re.split(r"^=== (.*)\n", f.read().replace("\r", ""), flags=re.M)
    texts = dict(zip(parts[1::2], parts[2::2]))
    sums = [0, 0]
    for guest, append, cpu, smp, end in KVM_RUNS:
        label = name_of(guest, append, cpu, smp)
        result = judge(label, guest, end, texts.get(label, ""), None, [QEMU_DIFFERS, KVM_DIFFERS],
                       False)
        sums = [a + b for a, b in zip(sums, result)]
    print(f"privileged: {sums[0]} passed, {sums[1]} failed")
    return sums[1] != 0


def main():
    args = sys.argv[1:]
    if args[0] == "--script":
        return script(args[1])
    if args[0] == "--judge":
        return judge_all(args[1])
    qemu = "--qemu" in args
    verbose = "-v" in args
    accel = "tcg" if qemu else "interp"
    if "--accel" in args:
        at = args.index("--accel")
        accel = args[at + 1]
        del args[at:at + 2]
    args = [a for a in args if not a.startswith("-")]
    emulator, only = args[0], args[1:]
    passed = failed = 0
    for guest, append, cpu, smp, end in RUNS:
        if only and guest not in only:
            continue
        if not os.path.exists(f"{GUESTS}/{guest}.elf"):
            print(f"{guest}: not built")
            failed += 1
            continue
        if qemu and cpu.startswith("x86-64"):
            continue # names that QEMU does not have
        p, f = run(emulator, accel, guest, append, cpu, smp, end, verbose)
        passed, failed = passed + p, failed + f
    print(f"privileged: {passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
