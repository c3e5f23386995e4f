"""Reads and checks src/kinds/<group>/<version>.yaml with their overlays."""
import os

from reader import BadInput, Map, merge, read

SCALARS = {  # name: (schema::FieldType, schema::ProtoField::Wire)
    'string': ('string', 'string'), 'bool': ('boolean', 'boolean'),
    'int32': ('integer', 'int32'), 'int64': ('integer', 'int64'),
    'double': ('number', 'float64'), 'bytes': ('bytes', 'bytes'),
    'quantity': ('quantity', 'message'), 'time': ('time', 'message'),
    'micro_time': ('micro_time', 'message'), 'duration': ('duration', 'message'),
    'int_or_string': ('int_or_string', 'message'), 'any': ('any', 'message'),
}
NUMBER_RULES = ('minimum', 'maximum', 'multiple_of')
COUNT_RULES = ('length_min', 'length_max', 'items_min', 'items_max', 'members_min', 'members_max')
FLAG_RULES = ('exclusive_minimum', 'exclusive_maximum', 'immutable', 'unique_items')
TEXT_RULES = ('format', 'pattern')
RULES = ('enum',) + NUMBER_RULES + COUNT_RULES + FLAG_RULES + TEXT_RULES
FIELD_KEYS = {
    'type': str, 'required': bool, 'default': None, 'list': str, 'keys': list, 'atomic': bool,
    'patch': list, 'merge_key': str, 'proto': int, 'outer': int, 'pointer': bool, 'always': bool,
    'since': int, 'until': int, 'gate': str, 'nullable': bool, 'preserve_unknown': bool,
    'embedded_resource': bool, 'union': str, 'element': dict, 'enum': list,
    **{key: None for key in NUMBER_RULES}, **{key: int for key in COUNT_RULES},
    **{key: bool for key in FLAG_RULES}, **{key: str for key in TEXT_RULES},
}
KIND_KEYS = {
    'struct': str, 'resource': str, 'singular': str, 'list_kind': str, 'namespaced': bool,
    'verbs': list, 'short_names': list, 'categories': list, 'subresources': list,
    'columns': list, 'selectable_fields': list, 'scale': dict, 'has_generation': bool,
    'deprecation_warning': str, 'deprecated_since': int, 'protobuf': bool, 'since': int, 'until': int,
    'storage_group': str, 'storage_version': str, 'unconditional_update': bool,
    'create_on_update': bool, 'returns_deleted': bool, 'name_rule': str,
}
COLUMN_KEYS = {'name': str, 'type': str, 'format': str, 'priority': int}
NAME_RULES = ('dns1123-subdomain', 'dns1123-label', 'dns1035-label', 'path-segment')
VERBS = ('create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch')
FILE_KEYS = {'group': str, 'version': str, 'package': str, 'kinds': dict, 'structs': dict,
             'atomic': list}


def check_keys(where, allowed, what):
    for key, value in where.items():
        if key not in allowed:
            where.fail(key, '%s is no word of %s; known: %s' % (
                key, what, ', '.join(sorted(allowed))))
        kind = allowed[key]
        if kind is not None and (not isinstance(value, kind) or
                                 kind is int and isinstance(value, bool)):
            where.fail(key, '%s wants %s, not %r' % (key, kind.__name__, value))


class Model:
    """files: {"core/v1": mapping}. Every name in it is checked."""

    def __init__(self, source):
        self.source, self.files = source, {}
        for group in sorted(os.listdir(source)):
            folder = os.path.join(source, group)
            if group in ('overlay', 'crds', 'bootstrap') or not os.path.isdir(folder):
                continue
            for name in sorted(os.listdir(folder)):
                if name.endswith('.yaml'):
                    self.load(group + '/' + name[:-5])
        self.atomic = {file + '.' + name for file, data in self.files.items()
                       for name in data.get('atomic', [])}
        for file, data in self.files.items():
            self.check_file(file, data)

    def load(self, file):
        data = read(os.path.join(self.source, file + '.yaml'), file + '.yaml')
        overlay = os.path.join(self.source, 'overlay', file + '.yaml')
        if os.path.exists(overlay):
            over = read(overlay, 'overlay/' + file + '.yaml')
            self.check_overlay(data, over)
            merge(data, over)
        self.files[file] = data

    def check_overlay(self, data, over):
        """The overlay is where rules are written by hand, so its words are checked at home."""
        if not isinstance(over, Map):
            raise BadInput('overlay: not a mapping')
        check_keys(over, {'kinds': dict, 'structs': dict, 'atomic': list}, 'an overlay')
        for name, fields in over.get('structs', {}).items():
            for field, entry in (fields or {}).items():
                known = data.get('structs', {}).get(name, {})
                if not isinstance(entry, Map):
                    fields.fail(field, 'a field is a mapping')
                if field not in known and 'type' not in entry:
                    fields.fail(field, '%s has no field %s to change' % (name, field))
                check_keys(entry, FIELD_KEYS, 'a field')

    def check_file(self, file, data):
        check_keys(data, FILE_KEYS, 'a file of kinds')
        for key in ('group', 'version', 'package', 'structs'):
            if key not in data:
                data.fail(None, 'wants %s' % key)
        for name, entry in data.get('kinds', {}).items():
            self.check_kind(file, data, name, entry)
        for name, fields in data['structs'].items():
            numbers = set()
            for field, entry in fields.items():
                if not isinstance(entry, Map):
                    fields.fail(field, 'a field is a mapping')
                self.check_field(file, fields, field, entry)
                number = (entry.get('outer', 0), entry.get('proto', 0))
                if number[1] and number in numbers:
                    fields.fail(field, 'number %d stands twice in %s' % (number[1], name))
                numbers.add(number)

    def check_kind(self, file, data, name, entry):
        check_keys(entry, KIND_KEYS, 'a kind')
        if entry.get('struct') not in data['structs']:
            entry.fail('struct', 'kind %s has no struct %s' % (name, entry.get('struct')))
        if entry.get('name_rule', NAME_RULES[0]) not in NAME_RULES:
            entry.fail('name_rule', 'known name rules: ' + ', '.join(NAME_RULES))
        for verb in entry.get('verbs', []):
            if verb not in VERBS:
                entry.fail('verbs', '%s is no verb' % verb)
        if entry.get('verbs') and not entry.get('resource'):
            entry.fail('verbs', 'kind %s has verbs and no resource' % name)
        for column in entry.get('columns', []):
            check_keys(column, COLUMN_KEYS, 'a column')

    def check_field(self, file, fields, name, entry):
        check_keys(entry, FIELD_KEYS, 'a field')
        if 'type' not in entry:
            fields.fail(name, 'field %s wants a type' % name)
        self.parse(file, entry['type'], entry)
        for holder in (entry, entry.get('element', {})):
            if 'union' in holder and holder['union'] not in self.files[file]['structs']:
                holder.fail('union', 'no such struct here: %s' % holder['union'])
        if entry.get('list', 'atomic') not in ('atomic', 'set', 'map'):
            entry.fail('list', 'a list is atomic, set or map')
        if entry.get('list') == 'map' and not entry.get('keys'):
            entry.fail('list', 'a list of type map wants keys')
        for word in entry.get('patch', []):
            if word not in ('merge', 'replace', 'retainKeys'):
                entry.fail('patch', '%s is no patch strategy' % word)
        if entry.get('since', 0) and entry.get('until', 99) <= entry.get('since', 0):
            entry.fail('until', 'until is the first minor without the field')

    def parse(self, file, text, entry):
        """('list' | 'map', inner), ('scalar', name) or ('struct', 'core/v1.Pod')."""
        for word in ('list', 'map'):
            if text.startswith(word + '<') and text.endswith('>'):
                return (word, self.parse(file, text[len(word) + 1:-1], entry))
        if text in SCALARS:
            return ('scalar', text)
        home, _, local = text.rpartition('.')
        home = home or file
        if local not in self.files.get(home, {}).get('structs', {}):
            entry.fail('type', 'no such type: %s' % text)
        return ('struct', home + '.' + local)
