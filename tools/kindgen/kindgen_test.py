#!/usr/bin/python3
"""A wrong YAML file is refused with its place and reason; a right one becomes tables."""
import os
import subprocess
import sys
import tempfile
import unittest

KINDGEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kindgen.py')
GOOD = '''group: example.org
version: v1
package: org.example.v1

kinds:
  Thing:
    struct: Thing
    resource: things
    verbs: [get, list]

structs:
  Thing:
    size: {type: int32, proto: 2, minimum: 1}
    tags: {type: list<string>, list: set}
'''


class Kindgen(unittest.TestCase):
    def run_on(self, text, overlay=None):
        with tempfile.TemporaryDirectory() as folder:
            self.write(folder, 'example/v1.yaml', text)
            if overlay:
                self.write(folder, 'overlay/example/v1.yaml', overlay)
            done = subprocess.run([sys.executable, KINDGEN, 'tables', '--source', folder,
                                   '--out', os.path.join(folder, 'out')],
                                  capture_output=True, text=True, check=False)
            made = os.path.join(folder, 'out', 'example_v1.cpp')
            if os.path.exists(made):
                with open(made) as out:
                    self.made = out.read()
            return done.returncode, done.stderr.strip()

    def write(self, folder, name, text):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as out:
            out.write(text)

    def refused(self, text, where, reason, overlay=None):
        code, error = self.run_on(text, overlay)
        self.assertEqual(code, 1, error)
        self.assertIn('kindgen: %s: ' % where, error)
        self.assertIn(reason, error)

    def test_good_file(self):
        self.assertEqual(self.run_on(GOOD), (0, ''))
        self.assertIn('.list_type = L::set', self.made)

    def test_overlay_is_laid_upon(self):
        overlay = 'structs:\n  Thing:\n    size: {default: 7}\n'
        self.assertEqual(self.run_on(GOOD, overlay), (0, ''))
        self.assertIn('.default_json = "7"', self.made)

    def test_unknown_word(self):
        self.refused(GOOD.replace('minimum', 'minimun'), 'example/v1.yaml:13', 'minimun')

    def test_unknown_type(self):
        self.refused(GOOD.replace('int32', 'int33'), 'example/v1.yaml:13', 'no such type: int33')

    def test_wrong_list(self):
        self.refused(GOOD.replace('list: set', 'list: map'), 'example/v1.yaml:14', 'wants keys')

    def test_same_field_twice(self):
        self.refused(GOOD + '    size: {type: string}\n', 'example/v1.yaml:15', 'twice')

    def test_same_number_twice(self):
        self.refused(GOOD.replace('list: set', 'proto: 2'), 'example/v1.yaml:14', 'number 2')

    def test_unknown_verb(self):
        self.refused(GOOD.replace('[get, list]', '[get, fetch]'), 'example/v1.yaml:9', 'fetch')

    def test_missing_struct(self):
        self.refused(GOOD.replace('struct: Thing', 'struct: Thin'), 'example/v1.yaml:7', 'Thin')

    def test_broken_yaml(self):
        self.refused(GOOD + '  : [\n', 'example/v1.yaml:15', '')

    def test_overlay_of_unknown_field(self):
        self.refused(GOOD, 'overlay/example/v1.yaml:3', 'has no field weight',
                     'structs:\n  Thing:\n    weight: {default: 7}\n')

    def test_overlay_with_unknown_word(self):
        self.refused(GOOD, 'overlay/example/v1.yaml:3', 'defaults',
                     'structs:\n  Thing:\n    size: {defaults: 7}\n')


if __name__ == '__main__':
    unittest.main()
