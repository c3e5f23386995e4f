#!/usr/bin/python3
"""Writes src/kinds/bootstrap/3*.yaml: the default RBAC objects, one compact document each.

Run by hand: tools/kindgen/derive_bootstrap.py --reference DIR --out src/kinds/bootstrap
"""
import argparse
import json
import os
import re

import yaml

FILES = {
    'cluster-roles': '30-cluster-roles',
    'controller-roles': '31-controller-roles',
    'cluster-role-bindings': '32-cluster-role-bindings',
    'controller-role-bindings': '33-controller-role-bindings',
    'namespace-roles': '34-namespace-roles',
    'namespace-role-bindings': '35-namespace-role-bindings',
}


def flow(value):
    if isinstance(value, dict):
        return '{%s}' % ', '.join('%s: %s' % (flow(k), flow(v)) for k, v in value.items())
    if isinstance(value, list):
        return '[%s]' % ', '.join(flow(item) for item in value)
    if isinstance(value, str) and re.fullmatch(r'[A-Za-z][\w./-]*', value) and \
            value not in ('true', 'false', 'null', 'yes', 'no', 'on', 'off'):
        return value
    return json.dumps(value)


def document(item):
    metadata = {k: v for k, v in item['metadata'].items() if v is not None}
    lines = ['apiVersion: ' + item['apiVersion'], 'kind: ' + item['kind'], 'metadata:']
    lines += ['  %s: %s' % (key, flow(value)) for key, value in sorted(metadata.items())]
    for key in ('aggregationRule', 'roleRef'):
        if key in item:
            lines.append('%s: %s' % (key, flow(item[key])))
    for key in ('rules', 'subjects'):
        if item.get(key):
            lines += [key + ':'] + ['- ' + flow(entry) for entry in item[key]]
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--reference', required=True)
    parser.add_argument('--out', required=True)
    options = parser.parse_args()
    for source, target in FILES.items():
        with open(os.path.join(options.reference, 'kubernetes-rbac-bootstrap',
                               source + '.yaml')) as text:
            items = yaml.safe_load(text)['items']
        with open(os.path.join(options.out, target + '.yaml'), 'w') as out:
            out.write('# Derived by tools/kindgen/derive_bootstrap.py.\n')
            out.write('---\n'.join(document(item) for item in items))


if __name__ == '__main__':
    main()
