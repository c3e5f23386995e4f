#!/usr/bin/python3
"""Turns kinds as data into C++ tables, at build time.

  kindgen.py tables --source src/kinds --out FOLDER   one .cpp a file of kinds, structs.h, files.cpp
  kindgen.py list --source src/kinds                  the names that `tables` writes
  kindgen.py embed --out FILE.cpp --namespace N --header H --function F [FILE...]
                                                      YAML documents as JSON constants

A wrong file ends it with "file:line: reason" and status 1. Files that would not change are left
alone.
"""
import argparse
import json
import os
import sys

import yaml

from emit import emit_file, emit_index, emit_structs, output_name
from model import Model
from reader import BadInput

TEXT_PIECE_MAX = 16000  # a compiler may refuse longer string literals


def put(path, text):
    if os.path.exists(path):
        with open(path) as old:
            if old.read() == text:
                os.utime(path)
                return
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'w') as out:
        out.write(text)


def tables(options):
    model = Model(options.source)
    put(os.path.join(options.out, 'structs.h'), emit_structs(model))
    for file in model.files:
        put(os.path.join(options.out, output_name(file)), emit_file(model, file))
    put(os.path.join(options.out, 'files.cpp'), emit_index(model))


def list_outputs(options):
    names = ['files.cpp']
    for group in sorted(os.listdir(options.source)):
        folder = os.path.join(options.source, group)
        if group in ('overlay', 'crds', 'bootstrap') or not os.path.isdir(folder):
            continue
        names += [output_name(group + '/' + name[:-5]) for name in sorted(os.listdir(folder))
                  if name.endswith('.yaml')]
    print(';'.join(names))


def literal(text):
    pieces = [text[i:i + TEXT_PIECE_MAX] for i in range(0, len(text), TEXT_PIECE_MAX)] or ['']
    return '\n    '.join('R"keelway(%s)keelway"' % piece for piece in pieces)


def embed(options):
    entries = []
    for path in sorted(options.files):
        with open(path) as text:
            try:
                documents = [d for d in yaml.safe_load_all(text) if d is not None]
            except yaml.MarkedYAMLError as error:
                raise BadInput('%s:%d: %s' % (path, error.problem_mark.line + 1,
                                              error.problem)) from None
        name = os.path.splitext(os.path.basename(path))[0]
        for document in documents:
            body = json.dumps(document, sort_keys=True, separators=(',', ':'),
                              ensure_ascii=False)
            entries.append('    {"%s",\n    %s},' % (name, literal(body)))
    lines = ['#include "%s"' % options.header, '', 'namespace %s {' % options.namespace, '']
    if entries:
        lines += ['static constexpr Embedded documents[] = {', *entries, '};', '']
    lines += ['std::span<const Embedded> %s() { return %s; }' % (
        options.function, 'documents' if entries else '{}'), '',
        '}  // namespace ' + options.namespace]
    put(options.out, '\n'.join(lines) + '\n')


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser('tables')
    command.add_argument('--source', required=True)
    command.add_argument('--out', required=True)
    command.set_defaults(run=tables)
    command = commands.add_parser('list')
    command.add_argument('--source', required=True)
    command.set_defaults(run=list_outputs)
    command = commands.add_parser('embed')
    for name in ('out', 'namespace', 'header', 'function'):
        command.add_argument('--' + name, required=True)
    command.add_argument('files', nargs='*')
    command.set_defaults(run=embed)
    options = parser.parse_args()
    try:
        options.run(options)
    except BadInput as error:
        print('kindgen: %s' % error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
