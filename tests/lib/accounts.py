'''An account for nfbus that this machine need not have.'''

import pathlib


class WithAccount:
    '''Stands for a namespace: one with an account and a group nfbus, in a mount namespace of its own.'''

    UID = 4712

    def __init__(self, namespace, folder, members="", uid=UID):
        self._namespace, self._folder = namespace, folder
        for name, line in (("passwd", f"nfbus:x:{uid}:{uid}::/:/usr/sbin/nologin\n"),
                           ("group", f"nfbus:x:{uid}:{members}\n")):
            old = pathlib.Path("/etc", name).read_text().splitlines(keepends=True)
            (folder / name).write_text("".join(row for row in old if not row.startswith("nfbus:")) + line)

    def _inside(self, *argv):
        script = f'mount --bind {self._folder}/passwd /etc/passwd && mount --bind {self._folder}/group /etc/group && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", script, "sh", *argv)

    def command(self, *argv):
        return self._namespace.command(*self._inside(*argv))

    def popen(self, *argv, **options):
        return self._namespace.popen(*self._inside(*argv), **options)
