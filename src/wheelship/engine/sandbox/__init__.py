# SPDX-License-Identifier: Apache-2.0
"""Stands between wheelship and an image's processes: makes namespaces, starts, watches, ends.

A program of its own (``python -I -S``) that imports the standard library only, and all of it at
the start, for three reasons: namespaces need a process with one thread, which a command line
with progress bars cannot promise; ``os.unshare`` exists from Python 3.12 on; and after
``pivot_root`` nothing of this Python installation can be imported any more.

    launcher            first process; writes the outer id maps, then only waits
    └─ supervisor       user, mount, PID, network, IPC and UTS namespace; answers requests
       ├─ service       process 1 of the PID namespace, as under ``docker run`` without ``--init``
       └─ command …     as under ``docker exec``

Service and commands live in a second user namespace inside the first, with the image's own uid and
gid, without capabilities and without a way to get any. When the other end of the control socket
closes, for whatever reason, everything ends.
"""
