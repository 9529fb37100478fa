'''The command line: what it takes, and what it says of what it does not.'''

import unittest

from nfbustest import main, run_nfbus


class CommandLine(unittest.TestCase):
    def test_an_unknown_command_is_wrong_usage_and_a_near_one_is_named(self):
        done = run_nfbus("chek")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn('there is no command "chek"; did you mean "check"?', done.stderr)

    def test_wrong_words_are_wrong_usage(self):
        for words in ((), ("run", "--nonsense"), ("run", "-c"), ("-c", "/nowhere"), ("demo", "-n", "many"),
                      ("demo", "-n", "-1"), ("doctor", "word"), ("new-plugin",)):
            done = run_nfbus(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertNotEqual(done.stderr, "", words)

    def test_help_and_version_are_answers_not_errors(self):
        for words, expected in ((("--version",), "nfbus "), (("--help",), "plugins"), (("run", "--help"), "--replay")):
            done = run_nfbus(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertIn(expected, done.stdout)


if __name__ == "__main__":
    main()
