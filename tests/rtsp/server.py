#!/usr/bin/python3
"""Serves a file over RTSP on the loopback interface, in a loop, as one broadcast. Late clients join it.

    server.py VIDEO [PORT]

Prints its port, a free one by default, and runs until it is killed. Needs Debian's python3-gi,
gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good. The exit status is 77 if these are absent.
"""

import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as error:
    print(f"no RTSP server for Python here: {error}", file=sys.stderr)
    sys.exit(77)


class Broadcast(GstRtspServer.RTSPMediaFactory):
    """The file without encoding. After its end, the next client starts it again."""

    def __init__(self, video):
        super().__init__()
        self.video = video
        self.set_shared(True)

    def do_create_element(self, url):
        text = "filesrc name=file ! qtdemux ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96"
        bin = Gst.parse_launch(f"( {text} )")
        bin.get_by_name("file").set_property("location", self.video)
        return bin


Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[2] if len(sys.argv) > 2 else "0")
server.get_mount_points().add_factory("/live", Broadcast(sys.argv[1]))
if server.attach(None) == 0:
    print("the server does not start", file=sys.stderr)
    sys.exit(1)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
