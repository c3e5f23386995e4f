#!/usr/bin/python3
"""Writes src/kinds/<group>/<version>.yaml from published facts about the Kubernetes API.

Run by hand when a kind is added, never by the build:

  tools/kindgen/derive.py --reference DIR --go DIR --out src/kinds

--reference: OpenAPI v3 documents, api-resources and field-versions tables.
--go: a folder that holds the modules k8s.io/{api,apimachinery,apiextensions-apiserver}@v0.33.x
as `go mod download` leaves them; only the tags of struct fields are read (protobuf number,
pointer or not, inlined or not).

What is kept by hand lives in src/kinds/overlay and is joined by kindgen.py, so that deriving
again loses nothing.
"""
import argparse
import csv
import glob
import json
import os
import re

MINORS = (32, 33)

# file below src/kinds -> (API group, version, package of its structs)
FILES = {
    'meta/v1': ('meta.k8s.io', 'v1', 'io.k8s.apimachinery.pkg.apis.meta.v1'),
    'core/v1': ('', 'v1', 'io.k8s.api.core.v1'),
    'apps/v1': ('apps', 'v1', 'io.k8s.api.apps.v1'),
    'events/v1': ('events.k8s.io', 'v1', 'io.k8s.api.events.v1'),
    'coordination/v1': ('coordination.k8s.io', 'v1', 'io.k8s.api.coordination.v1'),
    'scheduling/v1': ('scheduling.k8s.io', 'v1', 'io.k8s.api.scheduling.v1'),
    'policy/v1': ('policy', 'v1', 'io.k8s.api.policy.v1'),
    'autoscaling/v1': ('autoscaling', 'v1', 'io.k8s.api.autoscaling.v1'),
    'apiextensions/v1': ('apiextensions.k8s.io', 'v1',
                         'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1'),
    'rbac/v1': ('rbac.authorization.k8s.io', 'v1', 'io.k8s.api.rbac.v1'),
    'authentication/v1': ('authentication.k8s.io', 'v1', 'io.k8s.api.authentication.v1'),
    'authorization/v1': ('authorization.k8s.io', 'v1', 'io.k8s.api.authorization.v1'),
}
KINDS = {
    'meta/v1': 'DeleteOptions Status',
    'core/v1': 'Namespace Pod Node Service ConfigMap Secret ServiceAccount Event Binding '
               'Endpoints PodTemplate',
    'apps/v1': 'Deployment ReplicaSet ControllerRevision',
    'events/v1': 'Event',
    'coordination/v1': 'Lease',
    'scheduling/v1': 'PriorityClass',
    'policy/v1': 'PodDisruptionBudget Eviction',
    'autoscaling/v1': 'Scale',
    'apiextensions/v1': 'CustomResourceDefinition',
    'rbac/v1': 'Role RoleBinding ClusterRole ClusterRoleBinding',
    'authentication/v1': 'TokenReview TokenRequest SelfSubjectReview',
    'authorization/v1': 'SubjectAccessReview SelfSubjectAccessReview LocalSubjectAccessReview '
                        'SelfSubjectRulesReview',
}
META = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
EXT = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.'
SPECIAL = {
    'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'int_or_string',
    'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
    META + 'Time': 'time',
    META + 'MicroTime': 'micro_time',
    META + 'Duration': 'duration',
    META + 'FieldsV1': 'any',
    EXT + 'JSON': 'any',
    EXT + 'JSONSchemaPropsOrArray': 'any',
    EXT + 'JSONSchemaPropsOrBool': 'any',
    EXT + 'JSONSchemaPropsOrStringArray': 'any',
}


def load_schemas(reference):
    schemas = {}
    for path in sorted(glob.glob(reference + '/kubernetes-openapi/v3/*_openapi.json')):
        with open(path) as text:
            document = json.load(text)
        schemas.update(document.get('components', {}).get('schemas', {}))
    return schemas


def load_go(go):
    """{struct: [(Go type, json tag, proto number)]}"""
    sources = [('k8s.io/api@*/*/v1/types.go', 'io.k8s.api.'),
               ('k8s.io/apimachinery@*/pkg/apis/meta/v1/types.go',
                'io.k8s.apimachinery.pkg.apis.meta.'),
               ('k8s.io/apiextensions-apiserver@*/pkg/apis/apiextensions/v1/types*.go',
                'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.')]
    raw = {}
    for pattern, prefix in sources:
        for path in sorted(glob.glob(os.path.join(go, pattern))):
            package = prefix + 'v1'
            if prefix == 'io.k8s.api.':
                package = prefix + path.split('/')[-3] + '.v1'
            read_structs(path, package, raw)
    return raw


def read_structs(path, package, raw):
    name = None
    with open(path) as text:
        for line in text:
            start = re.match(r'type (\w+) struct \{', line)
            if start:
                name = package + '.' + start.group(1)
                raw[name] = []
            elif line.startswith('}'):
                name = None
            field = re.match(r'\s+(?:(\w+)\s+)?([*\[\]\w.]+)\s+`([^`]*)`', line)
            if not name or not field:
                continue
            json_tag = re.search(r'json:"([^"]*)"', field.group(3))
            proto = re.search(r'protobuf:"\w+,(\d+)', field.group(3))
            raw[name].append((field.group(2), json_tag.group(1) if json_tag else '',
                              int(proto.group(1)) if proto else 0))


def flatten(name, raw):
    """{json name: (proto number, pointer, number of the inlined struct, omitempty)}"""
    fields = {}
    package = name.rsplit('.', 1)[0]
    for go_type, tag, number in raw.get(name, []):
        json_name, *flags = tag.split(',')
        inner = package + '.' + go_type.lstrip('*')
        if 'inline' in flags or not json_name:
            if number and inner in raw:
                for key, (inner_number, pointer, outer, omit) in flatten(inner, raw).items():
                    assert not outer, 'inlined twice: ' + name
                    fields[key] = (inner_number, pointer, number, omit)
            continue
        fields[json_name] = (number, go_type.startswith('*'), 0, 'omitempty' in flags)
    return fields


def reference_of(schema):
    if '$ref' in schema:
        return schema['$ref'].rsplit('/', 1)[1]
    for part in schema.get('allOf', []):
        if '$ref' in part:
            return part['$ref'].rsplit('/', 1)[1]
    return None


class Writer:
    def __init__(self, schemas, go, versions):
        self.schemas, self.go, self.versions = schemas, go, versions
        self.file_of = {package: file for file, (_, _, package) in FILES.items()}
        self.wanted, self.done = [], {}

    def type_of(self, schema, file):
        """The type as kindgen.py reads it: string, list<T>, map<T>, a struct's name."""
        name = reference_of(schema)
        if name:
            if name in SPECIAL:
                return SPECIAL[name]
            self.wanted.append(name)
            package, local = name.rsplit('.', 1)
            home = self.file_of[package]
            return local if home == file else home + '.' + local
        kind, form = schema.get('type'), schema.get('format')
        if kind == 'array':
            return 'list<%s>' % self.type_of(schema['items'], file)
        if kind == 'object':
            if 'additionalProperties' in schema:
                return 'map<%s>' % self.type_of(schema['additionalProperties'], file)
            return 'any'
        if kind == 'string':
            return {'byte': 'bytes', None: 'string'}[form]
        if kind == 'integer':
            return form
        if kind == 'number':
            return 'double'
        if kind == 'boolean':
            return 'bool'
        raise ValueError('cannot read %r' % schema)

    def field(self, struct, name, schema, file):
        out = {'type': self.type_of(schema, file)}
        if name in self.schemas[struct].get('required', []):
            out['required'] = True
        default = schema.get('default')
        if default is not None and not (out.get('required') and default in ('', 0, False)):
            out['default'] = default
        if schema.get('x-kubernetes-list-type', 'atomic') != 'atomic':
            out['list'] = schema['x-kubernetes-list-type']
        if 'x-kubernetes-list-map-keys' in schema:
            out['keys'] = schema['x-kubernetes-list-map-keys']
        if schema.get('x-kubernetes-map-type') == 'atomic':
            out['atomic'] = True
        if 'x-kubernetes-patch-strategy' in schema:
            out['patch'] = schema['x-kubernetes-patch-strategy'].split(',')
        if 'x-kubernetes-patch-merge-key' in schema:
            out['merge_key'] = schema['x-kubernetes-patch-merge-key']
        number, pointer, outer, omit = flatten(struct, self.go).get(name, (0, False, 0, True))
        if number:
            out['proto'] = number
            if outer:
                out['outer'] = outer
            if pointer:
                out['pointer'] = True
        elif name not in ('apiVersion', 'kind'):
            print('no protobuf number:', struct, name)
        if not omit:
            out['always'] = True
        out.update(self.versions.get((struct, name), {}))
        return out

    def struct(self, name):
        self.done[name] = fields = {}
        file = self.file_of[name.rsplit('.', 1)[0]]
        for field_name, schema in sorted(self.schemas[name].get('properties', {}).items()):
            fields[field_name] = self.field(name, field_name, schema, file)

    def reach(self, roots):
        self.wanted = list(roots)
        while self.wanted:
            name = self.wanted.pop()
            if name not in self.done:
                self.struct(name)


def load_versions(reference):
    """Bounds of the fields that not all of MINORS have, as kindgen.py reads them."""
    bounds = {}
    with open(reference + '/field-versions.csv') as text:
        for row in csv.DictReader(text):
            since = int(row['since'].lstrip('>=').split('.')[1])
            until = 0 if row['until'].startswith('>=') else int(row['until'].split('.')[1]) + 1
            entry = {}
            if since > MINORS[0]:
                entry['since'] = since
            if until and until <= MINORS[-1]:
                entry['until'] = until
            if entry and not row['change']:
                bounds[(row['schema'], row['field'])] = entry
    return bounds


def load_resources(reference, file):
    group, version, _ = FILES[file]
    out = {}
    with open(reference + '/api-resources-1.33.csv') as text:
        for row in csv.DictReader(text):
            if (row['group'], row['version']) != (group, version):
                continue
            if not row['subresource']:
                out[row['kind']] = row
                row['subs'] = []
        text.seek(0)
        for row in csv.DictReader(text):
            for owner in out.values():
                if (row['group'], row['version'], row['resource']) == (
                        group, version, owner['resource']) and row['subresource']:
                    owner['subs'].append(row['subresource'])
    return out


def kind_entry(kind, row, file):
    entry = {'struct': kind}
    if row:
        entry.update(resource=row['resource'], singular=kind.lower(),
                     namespaced=row['namespaced'] == 'true', verbs=row['verbs'].split())
        for key, column in (('short_names', 'short_names'), ('categories', 'categories')):
            if row[column]:
                entry[key] = row[column].split()
        if row['subs']:
            entry['subresources'] = sorted(row['subs'])
        if 'get' in entry['verbs']:
            entry['list_kind'] = kind + 'List'
    return entry


# Plain words that YAML reads as something other than text.
NOT_TEXT = {'y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null'}


def scalar(value):
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (list, dict)):
        return json.dumps(value).replace('"', '') if value else json.dumps(value)
    if isinstance(value, str) and (value.lower() in NOT_TEXT or
                                   not re.fullmatch(r'[A-Za-z][\w./<>:-]*', value)):
        return json.dumps(value)
    return str(value)


def write(path, file, kinds, structs, atomic):
    group, version, package = FILES[file]
    lines = ['# Derived by tools/kindgen/derive.py; what is kept by hand is in ../overlay.',
             'group: %s' % scalar(group), 'version: %s' % version, 'package: %s' % package]
    if atomic:
        lines += ['# structs that are owned as a whole', 'atomic:',
                  *['- ' + name for name in atomic]]
    lines += ['', 'kinds:']
    for kind, entry in kinds.items():
        lines.append('  %s:' % kind)
        lines += ['    %s: %s' % (key, flow(value)) for key, value in entry.items()]
    lines += ['', 'structs:']
    for name, fields in structs:
        lines.append('  %s:%s' % (name, '' if fields else ' {}'))
        for field, entry in fields.items():
            name_text = field if re.fullmatch(r'[A-Za-z][\w-]*', field) else json.dumps(field)
            lines.append('    %s: {%s}' % (
                name_text, ', '.join('%s: %s' % (k, flow(v)) for k, v in entry.items())))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as out:
        out.write('\n'.join(lines) + '\n')


def flow(value):
    if isinstance(value, list):
        return '[%s]' % ', '.join(scalar(item) for item in value)
    return scalar(value)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--reference', required=True)
    parser.add_argument('--go', required=True)
    parser.add_argument('--out', required=True)
    options = parser.parse_args()
    writer = Writer(load_schemas(options.reference), load_go(options.go),
                    load_versions(options.reference))
    roots = [FILES[file][2] + '.' + kind for file in KINDS for kind in KINDS[file].split()]
    writer.reach(roots)
    for file, names in KINDS.items():
        resources = load_resources(options.reference, file)
        kinds = {kind: kind_entry(kind, resources.get(kind), file) for kind in names.split()}
        package = FILES[file][2]
        structs = [(name[len(package) + 1:], fields) for name, fields in
                   sorted(writer.done.items()) if name.rsplit('.', 1)[0] == package]
        atomic = [name for name, _ in structs if writer.schemas[package + '.' + name].get(
            'x-kubernetes-map-type') == 'atomic']
        write(os.path.join(options.out, file + '.yaml'), file, kinds, structs, atomic)


if __name__ == '__main__':
    main()
