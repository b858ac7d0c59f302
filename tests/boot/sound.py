#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sound that Debian's full kernel plays and records, through sound.c; what is in the WAV file is measured.

sound.py [--doppel PATH] [--accel ENGINE] [--slow FACTOR] [--logs FOLDER] [NAME...]
"""
import cmath
import glob
import gzip
import math
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import suite  # noqa: E402
from disks import cpio, initrd_with_modules  # noqa: E402
from suite import check, check_log, fetch  # noqa: E402

# In the order in which they depend on each other.
CORE = ["soundcore", "snd", "snd-timer", "snd-pcm"]
HDA = [*CORE, "snd-hwdep", "ledtrig-audio", "snd-hda-core", "snd-hda-codec", "snd-hda-codec-generic",
       "snd-intel-sdw-acpi", "snd-intel-dspcfg", "snd-hda-intel"]
AC97 = [*CORE, "ac97_bus", "snd-ac97-codec", "snd-intel8x0"]


class Wav:
    """Channels of a file with 16 bits, from -1 to 1."""

    def __init__(self, path):
        with open(path, "rb") as f:
            raw = f.read()
        riff, size, wave, fmt, n, kind, self.channels, self.rate, _, frame, bits, data, length = \
            struct.unpack("<4sI4s4sIHHIIHH4sI", raw[:44])
        check((riff, wave, fmt, data) == (b"RIFF", b"WAVE", b"fmt ", b"data"), "no WAV file")
        check((n, kind, bits, frame) == (16, 1, 16, 2 * self.channels), "another format")
        check(length <= len(raw) - 44 and size == length + 36, f"{length} bytes of {len(raw) - 44}")
        samples = struct.unpack(f"<{length // 2}h", raw[44:44 + length])
        self.data = [[s / 32768 for s in samples[c::self.channels]] for c in range(self.channels)]

    def seconds(self):
        return len(self.data[0]) / self.rate

    def parts(self, channel, quiet=0.001, gap=0.05):
        """Where something is heard: (first, last), with at least `gap` seconds of silence between."""
        found, last = [], None
        for i, s in enumerate(self.data[channel]):
            if abs(s) <= quiet:
                continue
            if last is None or i - last > gap * self.rate:
                found.append([i, i])
            last = found[-1][1] = i
        return found

    def loud(self, channel, part, hz):
        """The amplitude of a tone of that frequency in a part."""
        data = self.data[channel][part[0]:part[1]]
        step = cmath.exp(-2j * math.pi * hz / self.rate)
        turn, total = 1, 0
        for s in data:
            total += s * turn
            turn *= step
        return 2 * abs(total) / len(data)

    def pitch(self, channel, part):
        """The frequency of a tone in a part, by its crossings of zero: the middle of what a hundred cycles take,
        so that a starved guest's gap does not matter."""
        data = self.data[channel]
        at = [i - 1 + data[i - 1] / (data[i - 1] - data[i])
              for i in range(part[0] + 1, part[1]) if data[i - 1] < 0 <= data[i]]
        n = min(100, len(at) // 3)
        check(n > 5, f"only {len(at)} cycles")
        took = sorted(at[i + n] - at[i] for i in range(len(at) - n))
        return n * self.rate / took[len(took) // 2]


class Sound(suite.Suite):
    cases = ["hda", "ac97", "hda_q35", "snapshot"]
    quick = ["hda", "ac97"]

    def program(self):
        path = self.path("sound")
        if not os.path.exists(path):
            subprocess.run(["gcc", "-O1", "-static", "-o", path, os.path.join(HERE, "sound.c"), "-lm"],
                           check=True)
        with open(path, "rb") as f:
            return f.read()

    def argv_of(self, name, *args):
        kernel = glob.glob(fetch("fullkernel") + "/boot/vmlinuz-*")[0]
        return ["-m", "256M", "-nographic", "-kernel", kernel, "-initrd", self.path(name + ".initrd"),
                "-append", "console=ttyS0 quiet", *args]

    def boot(self, name, modules, *args):
        """A guest at its prompt, with the modules loaded and the mixer up."""
        initrd = self.path(name + ".initrd")
        initrd_with_modules(initrd, modules, full=True)
        with open(initrd, "ab") as f:
            f.write(gzip.compress(cpio({"bin/sound": (0o100755, self.program())}), 1))
        g = self.start(name, *self.argv_of(name, *args))
        try:
            g.expect(r"/ # ", 240)
            g.command("stty cols 300; dmesg -n 1")
            check("insmod" not in g.command("for m in /m/*; do insmod $m; done", 120),
                  "a module does not load")
            g.command("i=0; while [ ! -e /dev/snd/controlC0 ] && [ $i -lt 100 ]; do sleep .1; "
                      "i=$((i+1)); done", 60)
            out = g.command("sound unmute")
            check("cannot" not in out and "Volume" in out, f"the mixer says {out}")
        except BaseException:
            g.close()
            raise
        return g

    def near(self, what, got, want):
        check(abs(got - want) <= want / 100, f"{what} is {got:.2f}, not {want}")

    def off(self, g):
        check_log(g.command("dmesg"))
        g.type("poweroff -f\n")
        check(g.wait(60) == 0, "power-off does not give status 0")

    def tones(self, g, bits, rate):
        """A second of two tones, left and right, silence, and once more; then what is recorded of nothing. How long
        it took, by the guest's clock, which is also that of the sound: only a starved guest takes longer."""
        out = g.command(f"sound play {rate} {bits} 2 440 1000 1000 300 1000", 120)
        played = re.search(r"played in (\d+) ms, too late (\d+)", out)
        check(played and int(played[1]) >= 2200, f"2300 ms: {out}")
        out = g.command("sound record 44100 1000", 120)
        recorded = re.search(r"recorded 44100 frames in (\d+) ms, loudest 0", out)
        check(recorded and int(recorded[1]) >= 900, f"1000 ms of silence: {out}")
        return f"2300 ms in {played[1]}, too late {played[2]} times"

    def measure(self, w):
        """What the first seconds of the file must hold after tones()."""
        check(w.seconds() >= 2.2, f"{w.seconds()} s were played")
        notes = []
        for channel, (want, other) in enumerate(((440, 1000), (1000, 440))):
            parts = w.parts(channel)
            check(len(parts) >= 2, f"there is no silence between: {parts}")
            # The second one may run into what comes after it.
            for part in parts[0], [parts[1][0], min(parts[1][1], parts[1][0] + w.rate * 9 // 10)]:
                # A guest that was too late leaves short parts, too.
                if part[1] - part[0] > w.rate / 4:
                    hz = w.pitch(channel, part)
                    self.near(f"channel {channel}", hz, want)
                    notes.append(f"{hz:.2f}")
            middle = [parts[0][0] + w.rate // 10, parts[0][0] + w.rate * 6 // 10]
            loud, wrong = (w.loud(channel, middle, f) for f in (want, other))
            check(loud > 0.05 and wrong < loud / 50, f"channel {channel}: {loud} and {wrong} of the other's")
        check(len(notes) >= 2, "all parts are short")
        return "/".join(notes) + " Hz"

    def beep(self, g):
        check(g.command("sound beep 880 500; sleep .5").strip() == "", "no beep")

    def longest(self, w):
        return max(w.parts(0), key=lambda p: p[1] - p[0])

    def hda(self):
        """HDA to a WAV file, with 32 bits; the speaker to SDL, which writes to a file as fast as a card would play."""
        wav, raw = self.path("hda.wav"), self.path("hda.raw")
        os.environ.update(SDL_AUDIODRIVER="disk", SDL_DISKAUDIOFILE=raw)
        try:
            g = self.boot("hda", [*HDA, "pcspkr"], "-audiodev", f"wav,id=w,path={wav}", "-device", "intel-hda",
                          "-device", "hda-duplex,audiodev=w", "-audiodev", "sdl,id=s", "-machine",
                          "pcspk-audiodev=s")
        finally:
            del os.environ["SDL_AUDIODRIVER"], os.environ["SDL_DISKAUDIOFILE"]
        try:
            note = self.tones(g, 32, 48000)
            self.beep(g)
            self.off(g)
        finally:
            g.close()
        with open(raw, "rb") as f:
            data = f.read()
        with open(raw + ".wav", "wb") as f:
            f.write(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", len(data) + 36, b"WAVE", b"fmt ", 16, 1, 2,
                                44100, 176400, 4, 16, b"data", len(data)) + data)
        w = Wav(raw + ".wav")
        hz = w.pitch(0, self.longest(w))
        self.near("the speaker", hz, 880)
        return f"{self.measure(Wav(wav))}, {note}; speaker {hz:.2f} Hz"

    def hda_q35(self):
        wav = self.path("q35.wav")
        g = self.boot("q35", HDA, "-M", "q35", "-audiodev", f"wav,id=w,path={wav},out.frequency=48000", "-device",
                      "ich9-intel-hda", "-device", "hda-micro,audiodev=w")
        try:
            note = self.tones(g, 16, 44100)
            self.off(g)
        finally:
            g.close()
        return f"{self.measure(Wav(wav))}, {note}"

    def ac97(self):
        """AC97 with a rate of its own, then the speaker, both to one WAV file; doppel is killed at the end."""
        wav = self.path("ac97.wav")
        g = self.boot("ac97", [*AC97, "pcspkr"], "-audio", f"wav,id=w,path={wav},model=ac97", "-machine",
                      "pcspk-audiodev=w")
        try:
            note = self.tones(g, 16, 22050)
            check_log(g.command("dmesg"))
            said = g.monitor("info audio")
            check("w: wav to" in said and "0 voices playing, 0 recording" in said, f"info audio: {said}")
            g.type("\n")
            g.expect(r"# ", 30)
            self.beep(g)
        finally:
            g.close()
        w = Wav(wav)
        # No time passes between the last tone and the beep.
        end = w.parts(0)[-1][1]
        hz = w.pitch(0, [end - w.rate * 4 // 10, end - w.rate // 10])
        self.near("the speaker", hz, 880)
        return f"{self.measure(w)}, {note}; speaker {hz:.2f} Hz"

    def snapshot(self):
        """A guest saved while it plays goes on playing in a new process, from where it was."""
        state = "file:" + self.path("state.vm")
        wavs = [self.path(f"snapshot{n}.wav") for n in (0, 1)]
        args = ["-device", "intel-hda", "-device", "hda-duplex,audiodev=w"]
        g = self.boot("snapshot", HDA, "-audiodev", f"wav,id=w,path={wavs[0]}", *args)
        try:
            g.type("sound play 48000 16 2 440 1000 3000\n")
            g.monitor(f"savevm {state}")
            check("played in" not in g.output, "it was played before it was saved")
        finally:
            g.close()
        g = self.start("snapshot2", *self.argv_of("snapshot", "-audiodev", f"wav,id=w,path={wavs[1]}", *args,
                                                  "-loadvm", state))
        try:
            g.expect(r"played in", 120)
            self.off(g)
        finally:
            g.close()
        w = Wav(wavs[1])
        part = self.longest(w)
        check(part[1] - part[0] > w.rate, "little is played after it")
        hz = w.pitch(0, part)
        self.near("what is played after it", hz, 440)
        return f"{hz:.2f} Hz"


if __name__ == "__main__":
    suite.main(Sound, __doc__)
