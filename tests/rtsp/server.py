#!/usr/bin/python3
"""Serves a file over RTSP on the loopback interface, in a loop, as one broadcast. Late clients join it.

    server.py VIDEO [PORT] [--h265] [--login USER:PASSWORD --method basic|digest]

Prints its port, a free one by default, and runs until it is killed. Needs Debian's python3-gi,
gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good. The exit status is 77 if these are absent.
"""

import argparse
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError) as error:
    print(f"no RTSP server for Python here: {error}", file=sys.stderr)
    sys.exit(77)


class Broadcast(GstRtspServer.RTSPMediaFactory):
    """The file without encoding. After its end, the next client starts it again."""

    def __init__(self, video, codec):
        super().__init__()
        self.video, self.codec = video, codec
        self.set_shared(True)

    def do_create_element(self, url):
        codec = self.codec
        text = f"filesrc name=file ! qtdemux ! {codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96"
        bin = Gst.parse_launch(f"( {text} )")
        bin.get_by_name("file").set_property("location", self.video)
        return bin


def require_login(server, factory, login, method):
    """Has the server ask for a login."""
    user, password = login.split(":", 1)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    if method == "basic":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(permissions)
    server.set_auth(auth)


parser = argparse.ArgumentParser()
parser.add_argument("video")
parser.add_argument("port", nargs="?", default="0")
parser.add_argument("--h265", action="store_true")
parser.add_argument("--login")
parser.add_argument("--method", default="digest")
options = parser.parse_args()

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(options.port)
factory = Broadcast(options.video, "h265" if options.h265 else "h264")
if options.login:
    require_login(server, factory, options.login, options.method)
server.get_mount_points().add_factory("/live", factory)
if server.attach(None) == 0:
    print("the server does not start", file=sys.stderr)
    sys.exit(1)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
