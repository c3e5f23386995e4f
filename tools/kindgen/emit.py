"""C++ text of one checked file of kinds: constant arrays that need no start-up code."""
import json

from model import COUNT_RULES, FLAG_RULES, NUMBER_RULES, RULES, SCALARS, TEXT_RULES


def output_name(file):
    return file.replace('/', '_') + '.cpp'


def identifier(struct):
    """core/v1.Pod -> core_v1_Pod"""
    return struct.replace('/', '_').replace('.', '_')


def text(value):
    return json.dumps(value, ensure_ascii=False)


def emit_structs(model):
    lines = ['#pragma once', '#include "kinds/tables.h"', '', 'namespace keelway::kinds::tables {']
    for file, data in model.files.items():
        lines += ['extern const schema::Struct %s;' % identifier(file + '.' + name)
                  for name in data['structs']]
        lines.append('extern const File file_%s;' % identifier(file))
    return '\n'.join(lines + ['}  // namespace keelway::kinds::tables']) + '\n'


def emit_index(model):
    lines = ['#include "structs.h"', '', 'namespace keelway::kinds::tables {', '',
             'static constexpr const File* all_files[] = {']
    lines += ['    &file_%s,' % identifier(file) for file in model.files]
    lines += ['};', '', 'std::span<const File* const> files() { return all_files; }', '',
              '}  // namespace keelway::kinds::tables']
    return '\n'.join(lines) + '\n'


# What Go writes for a field that is neither a pointer nor left out when it is zero.
ZEROS = {'string': '', 'bool': False, 'int32': 0, 'int64': 0, 'double': 0}


class Emitter:
    def __init__(self, model, file):
        self.model, self.file = model, file
        self.lines, self.names, self.count = [], {}, 0

    def constant(self, kind, body, array=True):
        """A named constant; equal ones share their name."""
        key = (kind, body)
        if key not in self.names:
            self.count += 1
            name = 'c%d' % self.count
            self.names[key] = name
            self.lines.append('constexpr %s %s%s = {%s};' % (
                kind, name, '[]' if array else '', body))
        return self.names[key]

    def strings(self, values):
        if not values:
            return '{}'
        return self.constant('std::string_view', ', '.join(text(str(v)) for v in values))

    def rules(self, entry):
        if not any(rule in entry for rule in RULES):
            return None
        parts = []
        if 'enum' in entry:
            parts.append('.enumeration = %s' % self.strings(entry['enum']))
        parts += ['.%s = %s' % (key, text(entry[key])) for key in TEXT_RULES[:2] if key in entry]
        for key in ('minimum', 'maximum', 'exclusive_minimum', 'exclusive_maximum',
                    'multiple_of') + COUNT_RULES + ('immutable', 'unique_items'):
            if key not in entry:
                continue
            value = entry[key]
            if key in NUMBER_RULES:
                value = repr(float(value))
            elif key in FLAG_RULES:
                value = 'true' if value else 'false'
            parts.append('.%s = %s' % (key, value))
        return self.constant('schema::Rules', ', '.join(parts), array=False)

    def shape(self, parsed, entry):
        """Initialiser of a Shape; `entry` holds what is said about this level."""
        word, inner = parsed
        parts = []
        if word in ('list', 'map'):
            element = self.shape(inner, entry.get('element', {}))
            name = self.constant('schema::Shape', element, array=False)
            parts.append('.type = T::%s' % ('array' if word == 'list' else 'map'))
        elif word == 'struct':
            parts.append('.type = T::object')
        else:
            parts.append('.type = T::%s' % SCALARS[inner][0])
        if inner == 'int32':
            parts.append('.format_int32 = true')
        if entry.get('nullable'):
            parts.append('.nullable = true')
        if entry.get('atomic') or word == 'struct' and inner in self.model.atomic:
            parts.append('.atomic_map = true')
        for key in ('preserve_unknown', 'embedded_resource'):
            if entry.get(key):
                parts.append('.%s = true' % key)
        if word == 'list' and entry.get('list', 'atomic') != 'atomic':
            parts.append('.list_type = L::%s' % entry['list'])
            if entry.get('keys'):
                parts.append('.list_keys = %s' % self.strings(entry['keys']))
        if word == 'struct':
            parts.append('.object = &%s' % identifier(inner))
        if 'union' in entry:
            parts.append('.object = &%s' % identifier(self.file + '.' + entry['union']))
        if word in ('list', 'map'):
            parts.append('.element = &%s' % name)
        rules = self.rules(entry)
        if rules:
            parts.append('.rules = &%s' % rules)
        default = entry.get('default')
        if default is None and entry.get('always') and not entry.get('pointer'):
            default = ZEROS.get(inner) if word == 'scalar' else None
        if default is not None:
            body = json.dumps(default, sort_keys=True, separators=(',', ':'))
            parts.append('.default_json = %s' % text(body))
        return ', '.join(parts)

    def wire(self, parsed):
        word, inner = parsed
        if word in ('list', 'map'):
            return self.wire(inner)
        return 'message' if word == 'struct' else SCALARS[inner][1]

    def field(self, name, entry):
        parsed = self.model.parse(self.file, entry['type'], entry)
        parts = ['.name = %s' % text(name), '.shape = {%s}' % self.shape(parsed, entry)]
        if entry.get('required'):
            parts.append('.required = true')
        patch = ['.%s = true' % flag for flag, key in (
            ('merge', 'merge'), ('replace', 'replace'), ('retain_keys', 'retainKeys'))
            if key in entry.get('patch', [])]
        if 'merge_key' in entry:
            patch.append('.merge_key = %s' % text(entry['merge_key']))
        if patch:
            parts.append('.patch = {%s}' % ', '.join(patch))
        if entry.get('proto'):
            proto = ['.number = %d' % entry['proto'], '.wire = W::%s' % self.wire(parsed)]
            proto += ['.%s = true' % key for key in ('pointer', 'always') if entry.get(key)]
            if entry.get('outer'):
                proto.append('.outer = %d' % entry['outer'])
            parts.append('.proto = {%s}' % ', '.join(proto))
        parts += ['.%s = %d' % (key, entry[key]) for key in ('since', 'until') if entry.get(key)]
        if entry.get('gate'):
            parts.append('.gate = %s' % text(entry['gate']))
        return '    {%s},' % ', '.join(parts)

    def struct(self, name, fields, package):
        rows = [self.field(field, fields[field]) for field in sorted(fields)]
        where = identifier(self.file + '.' + name)
        span = '{}'
        if rows:
            self.lines += ['constexpr schema::Field fields_%s[] = {' % where, *rows, '};']
            span = 'fields_' + where
        order = '{}'
        numbered = [(entry.get('outer') or entry['proto'], entry['proto'], index)
                    for index, (_, entry) in enumerate(sorted(fields.items()))
                    if entry.get('proto')]
        if numbered:
            order = self.constant('std::uint16_t',
                                  ', '.join(str(index) for _, _, index in sorted(numbered)))
        return 'constinit const schema::Struct %s{"%s.%s", %s, %s};' % (
            where, package, name, span, order)

    def kinds(self, name, entry, data):
        """One row, or two where only the later minors call the kind deprecated."""
        if 'deprecated_since' not in entry:
            return [self.kind(name, entry, data)]
        border = entry['deprecated_since']
        before = {k: v for k, v in entry.items() if k != 'deprecation_warning'}
        return [self.kind(name, {**before, 'until': border}, data),
                self.kind(name, {**entry, 'since': border}, data)]

    def kind(self, name, entry, data):
        package = data['package']
        message = package.replace('io.k8s.', 'k8s.io.', 1).replace('-', '_') + '.' + entry['struct']
        parts = ['.group = %s' % text(data['group']), '.version = %s' % text(data['version']),
                 '.kind = %s' % text(name)]
        for key in ('list_kind', 'resource', 'singular'):
            if key in entry:
                parts.append('.%s = %s' % (key, text(entry[key])))
        if entry.get('namespaced'):
            parts.append('.namespaced = true')
        for key in ('verbs', 'short_names', 'categories', 'subresources'):
            if entry.get(key):
                parts.append('.%s = %s' % (key, self.strings(entry[key])))
        if entry.get('columns'):
            columns = ', '.join('{%s, %s, %s, %d}' % (
                text(c['name']), text(c.get('type', 'string')), text(c.get('format', '')),
                c.get('priority', 0)) for c in entry['columns'])
            parts.append('.columns = %s' % self.constant('schema::Column', columns))
        if entry.get('selectable_fields'):
            parts.append('.selectable_fields = %s' % self.strings(entry['selectable_fields']))
        parts.append('.root = &%s' % identifier(self.file + '.' + entry['struct']))
        if 'scale' in entry:
            parts.append('.scale = schema::ScaleSubresource{%s, %s, %s}' % tuple(
                text(entry['scale'].get(key, '')) for key in ('spec', 'status', 'selector')))
        if 'status' in entry.get('subresources', []):
            parts.append('.has_status = true')
        if entry.get('has_generation'):
            parts.append('.has_generation = true')
        if 'deprecation_warning' in entry:
            parts += ['.deprecated = true',
                      '.deprecation_warning = %s' % text(entry['deprecation_warning'])]
        if entry.get('protobuf', True):
            parts.append('.proto_message = %s' % text(message))
        parts += ['.%s = %d' % (key, entry[key]) for key in ('since', 'until') if entry.get(key)]
        parts.append('.storage_group = %s' % text(entry.get('storage_group', data['group'])))
        parts.append('.storage_version = %s' % text(
            entry.get('storage_version', data['version'])))
        for key in ('unconditional_update', 'create_on_update', 'returns_deleted'):
            if key in entry:
                parts.append('.%s = %s' % (key, 'true' if entry[key] else 'false'))
        if 'name_rule' in entry:
            parts.append('.name_rule = %s' % text(entry['name_rule']))
        return '    {%s},' % ', '.join(parts)


def emit_file(model, file):
    data, out = model.files[file], Emitter(model, file)
    structs = [out.struct(name, fields, data['package'])
               for name, fields in data['structs'].items()]
    kinds = [row for name, entry in data.get('kinds', {}).items()
             for row in out.kinds(name, entry, data)]
    where = identifier(file)
    if kinds:
        out.lines += ['constexpr schema::Kind kinds[] = {', *kinds, '};']
    out.lines += ['constexpr const schema::Struct* structs[] = {',
                  *['    &%s,' % identifier(file + '.' + name) for name in data['structs']], '};']
    return '\n'.join([
        '#include "structs.h"', '', '#pragma GCC diagnostic ignored "-Wmissing-field-initializers"',
        '', 'namespace keelway::kinds::tables {', 'namespace {',
        'using T = schema::FieldType;', 'using L [[maybe_unused]] = schema::ListType;',
        'using W [[maybe_unused]] = schema::ProtoField::Wire;', '', *out.lines, '',
        '}  // namespace', '', *structs, '',
        'constinit const File file_%s{%s, structs};' % (where, 'kinds' if kinds else '{}'), '',
        '}  // namespace keelway::kinds::tables']) + '\n'
