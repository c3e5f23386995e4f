// What the hooks of this folder share. Not for other folders.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "schema/formats.h"
#include "schema/kind.h"
#include "schema/status.h"
#include "schema/validate.h"
#include "value/value.h"

namespace keelway::kinds {

using schema::FieldErrors;
using schema::Kind;
using value::Value;

// Defaults.
// Sets the member where it is absent, null or an empty text.
void fill(Value& v, std::string_view key, Value standard);
bool is_set(const Value& v, std::string_view key);
void default_pod_spec(Value& spec);  // what pods and templates share

// Errors.
void add(FieldErrors& errors, const std::string& field, const Value& bad,
         const schema::Complaints& complaints);
void add_printed(FieldErrors& errors, std::string field, std::string printed, std::string detail);
void check_not_negative(const Value& v, const std::string& field, FieldErrors& errors);
// Absent is fine; anything that is none of `choices` is not.
void check_choice(const Value& v, const std::string& field,
                  std::initializer_list<std::string_view> choices, FieldErrors& errors);
void check_int_or_percent(const Value& v, const std::string& field, FieldErrors& errors);
void check_at_most_100_percent(const Value& v, const std::string& field, FieldErrors& errors);

// Go's %#v of common values.
std::string go_strings(const Value& list);       // []string{"a"}
std::string go_string_map(const Value& map);     // map[string]string{"a":"b"}
std::string go_selector(const Value& selector);  // v1.LabelSelector{...}
std::string go_int_or_string(const Value& v);
std::string go_pointer(std::string_view type, const Value& v);  // (*bool)(nil)

// Pods.
void validate_pod_spec(const Value& spec, const std::string& path, FieldErrors& errors);
void validate_pod_template(const Value& pod_template, const std::string& path, FieldErrors& errors);
void validate_containers(const Value& spec, const std::string& path, FieldErrors& errors);
void validate_volumes(const Value& volumes, const std::string& path, FieldErrors& errors);
void validate_scheduling(const Value& spec, const std::string& path, FieldErrors& errors);
std::string_view qos_class(const Value& spec);

// One triple per kind; a null member: nothing to do.
void default_pod(const Kind&, Value&);
void prepare_pod(const Kind&, Value&, const Value*);
void validate_pod(const Kind&, const Value&, const Value*, FieldErrors&);

void default_bare_template(const Kind&, Value&);
void validate_bare_template(const Kind&, const Value&, const Value*, FieldErrors&);

void default_deployment(const Kind&, Value&);
void default_replica_set(const Kind&, Value&);
void validate_deployment(const Kind&, const Value&, const Value*, FieldErrors&);
void validate_replica_set(const Kind&, const Value&, const Value*, FieldErrors&);
void validate_controller_revision(const Kind&, const Value&, const Value*, FieldErrors&);
// Clears status of a create, keeps the stored one on an update.
void prepare_status(const Kind&, Value&, const Value*);

void default_service(const Kind&, Value&);
void prepare_service(const Kind&, Value&, const Value*);
void validate_service(const Kind&, const Value&, const Value*, FieldErrors&);

void default_namespace(const Kind&, Value&);
void prepare_namespace(const Kind&, Value&, const Value*);
void validate_namespace(const Kind&, const Value&, const Value*, FieldErrors&);
void default_node(const Kind&, Value&);
void validate_node(const Kind&, const Value&, const Value*, FieldErrors&);
void default_priority_class(const Kind&, Value&);
void validate_priority_class(const Kind&, const Value&, const Value*, FieldErrors&);

void validate_config_map(const Kind&, const Value&, const Value*, FieldErrors&);
void default_secret(const Kind&, Value&);
void validate_secret(const Kind&, const Value&, const Value*, FieldErrors&);
void validate_nothing(const Kind&, const Value&, const Value*, FieldErrors&);

void default_role_binding(const Kind&, Value&);
void validate_role(const Kind&, const Value&, const Value*, FieldErrors&);
void validate_role_binding(const Kind&, const Value&, const Value*, FieldErrors&);

void validate_disruption_budget(const Kind&, const Value&, const Value*, FieldErrors&);
void validate_lease(const Kind&, const Value&, const Value*, FieldErrors&);
void validate_event(const Kind&, const Value&, const Value*, FieldErrors&);

void default_endpoints(const Kind&, Value&);
void validate_endpoints(const Kind&, const Value&, const Value*, FieldErrors&);

void default_custom_definition(const Kind&, Value&);
void prepare_custom_definition(const Kind&, Value&, const Value*);
void validate_custom_definition(const Kind&, const Value&, const Value*, FieldErrors&);

}  // namespace keelway::kinds
