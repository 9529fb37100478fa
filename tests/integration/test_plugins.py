'''`nfbus plugins`: what is found, what is refused and why, and the options of one plugin.'''

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import unittest

import nfbustest
from accounts import WithAccount
from nfbustest import NFBUS_BIN, TEST_PLUGINS, run_nfbus

GOOD = TEST_PLUGINS
BAD = GOOD.parent / "plugins_bad"


class Plugins(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nfbustest-plugins-")).resolve()
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        self.folder = self.directory / "plugins"
        self.folder.mkdir()
        self.config = self.directory / "nfbus.toml"
        self.config.write_text(f'[host]\nplugin_dirs = ["{self.folder}"]\n')

    def add(self, file, mode=0o644):
        target = self.folder / file.name
        shutil.copyfile(file, target)
        target.chmod(mode)
        return target

    def plugins(self, *arguments, **options):
        return subprocess.run([NFBUS_BIN, "plugins", "-c", self.config, *arguments], capture_output=True, text=True,
                              timeout=30, **options)

    def test_lists_a_line_per_plugin_with_its_facts_in_columns(self):
        for name in ("noop", "filter_drops"):
            self.add(GOOD / f"{name}.so")
        done = self.plugins()
        self.assertEqual(done.returncode, 0)
        lines = {line.split()[0]: line for line in done.stdout.splitlines()}
        self.assertEqual(lines["noop"].split(None, 5),
                         ["noop", "sink", "1.0", "1.0", str(self.folder / "noop.so"), "counts events and drops them"])
        self.assertEqual(lines["filter_drops"].split(None, 5)[1], "filter")
        self.assertEqual(lines["noop"].index(" sink "), lines["filter_drops"].index(" filter "))

    def test_refuses_every_bad_plugin_with_a_reason_and_lists_the_good_ones(self):
        bad = sorted(BAD.glob("*.so"))
        self.assertGreater(len(bad), 15)
        for file in bad:
            if file.is_symlink():
                (self.folder / file.name).symlink_to(file.resolve())
            else:
                self.add(file, file.stat().st_mode & 0o777)
        self.add(GOOD / "noop.so")
        done = self.plugins()
        self.assertEqual(done.returncode, 0)
        self.assertIn("noop", [line.split()[0] for line in done.stdout.splitlines()])
        for file in bad:
            if file.name == "duplicate_first.so":  # the first of two is good
                continue
            warnings = [line for line in done.stderr.splitlines() if f"{self.folder / file.name}: " in line]
            self.assertEqual(len(warnings), 1, file.name)
            self.assertTrue(warnings[0].startswith("nfbus: warning: "), warnings[0])
            self.assertNotIn(f"{file.name}  ", done.stdout)

    def test_refuses_files_of_strangers_and_folders_that_others_may_write(self):
        os.chown(self.add(GOOD / "noop.so"), 4711, 4711)
        done = self.plugins()
        self.assertIn("noop.so: it belongs to uid 4711, neither to root nor to the user that runs nfbus", done.stderr)
        self.assertIn(f": chown root {self.folder}/noop.so\n", done.stderr)
        os.chown(self.folder / "noop.so", 0, 0)
        self.folder.chmod(0o777)
        done = self.plugins()
        self.assertIn(f"is writable by others than its owner (mode 0777): chmod go-w {self.folder}", done.stderr)
        self.assertNotIn("noop", done.stdout)

    def name_nobody(self):
        self.config.write_text(self.config.read_text() + 'user = "nobody"\n')
        return pwd.getpwnam("nobody").pw_uid

    def test_root_does_not_run_code_of_plugins_with_rights_of_its_own(self):
        nobody = self.name_nobody()
        self.add(GOOD / "tells_rights.so")
        for mode in (0o755, 0o700):  # the second is open to root alone
            self.folder.chmod(mode)
            done = self.plugins()
            self.assertIn(f"uid {nobody} with capabilities 0\n", done.stdout, done.stderr)

    def test_a_plugin_that_the_user_cannot_read_is_refused_with_what_mends_it(self):
        nobody = self.name_nobody()
        self.add(GOOD / "noop.so", 0o600)
        done = self.plugins()
        self.assertIn(f"noop.so: it may not be read by the user that runs nfbus (uid {nobody}): chmod a+r {self.folder / 'noop.so'}",
                      done.stderr)
        self.assertNotIn("noop", done.stdout)

    def test_root_runs_no_code_that_others_than_root_may_have_named(self):
        self.add(GOOD / "tells_rights.so")
        self.config.chmod(0o666)
        done = self.plugins()
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertIn(f"{self.config}: nothing is started from it as root: {self.config} is writable by others",
                      done.stderr)

    def test_accepts_plugins_of_the_user_that_it_runs_as(self):
        os.chown(self.add(GOOD / "noop.so"), 4711, 4711)
        program = self.directory / "bin/nfbus"  # where that user may run it
        program.parent.mkdir()
        shutil.copy(NFBUS_BIN, program)
        done = subprocess.run([program, "plugins", "-c", self.config], capture_output=True, text=True, timeout=30,
                              user=4711, group=4711, extra_groups=[])
        self.assertIn(str(self.folder / "noop.so"), done.stdout, done.stderr)

    def assert_found(self, done, found=True):
        self.assertEqual("noop" in [line.split()[0] for line in done.stdout.splitlines()], found, done.stdout + done.stderr)

    def test_follows_roots_own_links_as_usrmerge_and_versions_of_libraries_have_them(self):
        real = self.directory / "usr/lib/plugins"
        real.mkdir(parents=True)
        shutil.copy(GOOD / "noop.so", real / "libnoop.so.1.2")
        (real / "libnoop.so.1.2").chmod(0o644)
        (real / "libnoop.so").symlink_to("libnoop.so.1.2")
        (self.directory / "lib").symlink_to("usr/lib")
        self.config.write_text(f'[host]\nplugin_dirs = ["{self.directory}/lib/plugins", "{real}"]\n')
        done = self.plugins()
        self.assert_found(done)
        self.assertIn(f"{self.directory}/lib/plugins/libnoop.so", done.stdout)
        self.assertNotIn("libnoop", done.stderr)
        os.lchown(real / "libnoop.so", 4711, 4711)
        done = self.plugins()
        self.assert_found(done, False)
        self.assertIn(f"{real}/libnoop.so is a link that belongs to uid 4711", done.stderr)
        os.lchown(real / "libnoop.so", 0, 0)
        os.chown(real.parent, 4711, 4711)
        done = self.plugins()
        self.assert_found(done, False)
        self.assertIn(f"{real.parent} belongs to uid 4711, neither to root nor to the user that runs nfbus (uid 0): "
                      f"chown root {real.parent}", done.stderr)

    def test_a_group_with_nobody_else_in_it_may_write(self):
        file = self.add(GOOD / "noop.so", 0o664)
        with nfbustest.Namespace() as namespace:
            for uid, gid in ((WithAccount.UID, WithAccount.UID), (0, WithAccount.UID)):
                for path in (self.folder, file):
                    os.chown(path, uid, gid)
                self.folder.chmod(0o775)
                for members, found in (("", True), ("daemon", False)):
                    with self.subTest(uid=uid, gid=gid, members=members):
                        done = run_nfbus("plugins", "-c", self.config,
                                         namespace=WithAccount(namespace, self.directory, members))
                        self.assert_found(done, found)
                        self.assertEqual(f"(mode 0775): chmod go-w {self.folder}" in done.stderr, not found)

    def test_in_a_namespace_of_users_the_machines_root_owns_what_it_has_no_user_for(self):
        self.add(GOOD / "noop.so")
        program = self.directory / "bin/nfbus"
        program.parent.mkdir()
        shutil.copy(NFBUS_BIN, program)
        os.chown(self.directory, 4711, 4711)  # what lies in /tmp itself may be anybody's there

        def plugins():
            return subprocess.run(["unshare", "--user", "--map-root-user", program, "plugins", "-c", self.config],
                                  capture_output=True, text=True, timeout=30, user=4711, group=4711, extra_groups=[])

        done = plugins()
        if "unshare: " in done.stderr:
            self.skipTest(done.stderr)
        self.assert_found(done)
        self.folder.chmod(0o777)
        done = plugins()
        self.assert_found(done, False)
        self.assertIn("(mode 0777)", done.stderr)
        self.folder.chmod(0o755)
        os.chown(self.directory, 4712, 4712)
        self.assertIn(f"{self.directory} belongs to uid 65534, not to root: that is anybody outside of this user namespace",
                      plugins().stderr)

    def test_shows_the_options_of_one_plugin_from_its_schema(self):
        self.add(GOOD / "fails.so")
        done = self.plugins("fails")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertTrue(lines[0].startswith("fails  sink  1.0  1.0  "), lines[0])
        options = {line.split()[0]: line for line in lines[1:]}
        self.assertEqual(set(options), {"batch_events", "batch_age_ms", "after", "at", "paths", "fatal"})
        self.assertIn("integer", options["after"])
        self.assertIn('"create", "open" or "write"', options["at"])

    def test_suggests_a_name_for_an_unknown_one(self):
        self.add(GOOD / "noop.so")
        done = self.plugins("nopo")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn('there is no plugin "nopo"; did you mean "noop"?', done.stderr)

    def test_names_a_folder_or_configuration_that_is_missing(self):
        self.folder.rmdir()
        done = self.plugins()
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"{self.folder}: no plugins are loaded from here: cannot open {self.folder}: "
                      "No such file or directory", done.stderr)
        self.config.unlink()
        done = self.plugins()
        self.assertEqual(done.returncode, 78)
        self.assertIn(str(self.config), done.stderr)


if __name__ == "__main__":
    unittest.main()
