#include "value/yaml.h"

#include <gtest/gtest.h>

#include "value/json.h"

namespace keelway::value {
namespace {

std::string json(std::string_view yaml) {
  const auto v = parse_yaml(yaml);
  return v ? to_json(*v) : v.error().message;
}

TEST(Yaml, resolves_plain_scalars_as_yaml_1_1) {
  EXPECT_EQ(json("a: yes\nb: off\nc: y\nd: True"), R"({"a":true,"b":false,"c":true,"d":true})");
  EXPECT_EQ(json("a: 10\nb: 0x1F\nc: 017\nd: 1_000\ne: -5\nf: 0o17\ng: 0b11"),
            R"({"a":10,"b":31,"c":15,"d":1000,"e":-5,"f":15,"g":3})");
  EXPECT_EQ(json("a: 1.5\nb: 1e3\nc: .5\nd: 1.2.3\ne: 1e\nf: -x"),
            R"({"a":1.5,"b":1000,"c":0.5,"d":"1.2.3","e":"1e","f":"-x"})");
  EXPECT_EQ(json("a: ~\nb: null\nc:\nd: ''"), R"({"a":null,"b":null,"c":null,"d":""})");
  EXPECT_EQ(json("a: \"yes\"\nb: '10'\nc: 2020-01-01\nd: !!str 5"),
            R"({"a":"yes","b":"10","c":"2020-01-01","d":"5"})");
  EXPECT_EQ(json("1: a\ntrue: b\n"), R"({"1":"a","true":"b"})");
}

TEST(Yaml, reads_structure) {
  EXPECT_EQ(json("spec:\n  ports:\n  - port: 80\n    name: x\n  - {port: 81}\n"),
            R"({"spec":{"ports":[{"name":"x","port":80},{"port":81}]}})");
  EXPECT_EQ(json("a: |\n  x\n  y\nb: >-\n  x\n  y\n"), R"({"a":"x\ny\n","b":"x y"})");
  EXPECT_EQ(json(""), "null");
  EXPECT_EQ(json(R"({"a": [1, "x"]})"), R"({"a":[1,"x"]})");
}

TEST(Yaml, expands_anchors_and_merge_keys) {
  EXPECT_EQ(json("a: &x {p: 1, q: 2}\nb: *x\nc:\n  <<: *x\n  q: 3\n"),
            R"({"a":{"p":1,"q":2},"b":{"p":1,"q":2},"c":{"p":1,"q":3}})");
}

TEST(Yaml, refuses_alias_bombs) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j ? ",*a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  const auto v = parse_yaml(bomb);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().code, base::ErrorCode::exhausted);
}

TEST(Yaml, refuses_what_is_malformed_or_too_deep) {
  EXPECT_FALSE(parse_yaml("a: [1"));
  EXPECT_FALSE(parse_yaml("a: b: c"));
  EXPECT_FALSE(parse_yaml("{a: 1}\n---\n{b: 1}"));
  EXPECT_FALSE(parse_yaml(std::string(300, '[') + std::string(300, ']')));
  EXPECT_FALSE(parse_yaml("? [a]\n: b"));
}

TEST(Yaml, reports_duplicate_keys) {
  std::vector<std::string> duplicates;
  const auto v = parse_yaml("spec:\n  a: 1\n  a: 2\n  l:\n  - b: 1\n    b: 2\n", {}, &duplicates);
  ASSERT_TRUE(v);
  EXPECT_EQ(v->at("spec", "a").as_int(), 2);
  EXPECT_EQ(duplicates, (std::vector<std::string>{"spec.a", "spec.l[0].b"}));
}

TEST(Yaml, splits_streams) {
  const auto parts = split_yaml_documents("# c\n---\na: 1\n---  # x\n---\nb: 2\n--- \n");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0], "a: 1\n");
  EXPECT_EQ(parts[1], "b: 2\n");
  const auto values = parse_yaml_stream("{\"a\":1}\n{\"b\":2}\n---\nc: 3\n");
  ASSERT_TRUE(values);
  ASSERT_EQ(values->size(), 3u);
  EXPECT_EQ((*values)[2]["c"].as_int(), 3);
}

TEST(ToYaml, prints_block_style_that_reads_back) {
  const Value v =
      parse_json(
          R"({"a":[{"x":1,"y":[]},"s",[1,[2]]],"b":{},"c":"yes","d":"two\nlines\n","e":null,)"
          R"("f":"a: b","g":"10","h":"- x","i":"","j":" pad ","k":{"l":{"m":true}},"n":"#x",)"
          R"("o":"trail \nx","p":"x\n\n","q":"2020-01-01","r":"--flag","y":1.5})")
          .value();
  const std::string text = to_yaml(v);
  const auto back = parse_yaml(text);
  ASSERT_TRUE(back) << text;
  EXPECT_EQ(to_json(*back), to_json(v)) << text;
  EXPECT_EQ(to_yaml(parse_json(R"({"spec":{"ports":[{"name":"x","port":80}]}})").value()),
            "spec:\n  ports:\n  - name: x\n    port: 80\n");
  EXPECT_EQ(to_yaml(Value::object()), "{}\n");
}

TEST(YamlPrint, AMergeKeyThatIsTextIsQuoted) {
  const Value document = Value::object({{"<<", "a"}, {"b", "<<"}});
  EXPECT_EQ(to_yaml(document).find("<<: "), std::string::npos);
  EXPECT_EQ(parse_yaml(to_yaml(document)).value(), document);
}

TEST(YamlPrint, TextThatLooksLikeADocumentsEndIsQuoted) {
  for (const char* text : {"...", "... a", "....", "a\n...\nb", "---\na", "a\n--- b\n"}) {
    for (const Value& document :
         {Value(text), Value::object({{text, text}}), Value::array({text})}) {
      const auto again = parse_yaml(to_yaml(document));
      ASSERT_TRUE(again) << to_yaml(document);
      EXPECT_EQ(*again, document) << to_yaml(document);
    }
  }
}

TEST(YamlPrint, ALongKeyStandsBehindAQuestionMark) {
  const std::string key(129, 'k');
  EXPECT_EQ(to_yaml(Value::object({{key, 1}})), "? " + key + "\n: 1\n");
  EXPECT_EQ(to_yaml(Value::object({{key.substr(1), 1}})), key.substr(1) + ": 1\n");
  for (const std::string& text : {key, std::string(1025, 'k'), std::string(2000, '\x01'),
                                  std::string(1025, ' '), std::string(1025, '\n')}) {
    for (const Value& member :
         {Value(), Value("a\nb"), Value::array(), Value::array({1, Value::object({{text, 2}})}),
          Value::object({{"a", Value::array({1})}, {text, text}, {"z", 1}})}) {
      for (const Value& document :
           {Value::object({{text, member}, {"z", member}}),
            Value::array({Value::object({{"a", 1}, {text, member}}), member})}) {
        const auto again = parse_yaml(to_yaml(document));
        ASSERT_TRUE(again) << again.error().message << "\n" << to_yaml(document);
        EXPECT_EQ(*again, document) << to_yaml(document);
      }
    }
  }
}

TEST(Yaml, EscapesAreUtf8) {
  for (const auto& [written, meant] :
       {std::pair(R"("a\N")", "a\xc2\x85"),
        std::pair(R"("\_b")",
                  "\xc2\xa0"
                  "b"),
        std::pair("\"\xc3\xa9\\N\xe2\x82\xac\\_\xf0\x9f\x98\x80\"",
                  "\xc3\xa9\xc2\x85\xe2\x82\xac\xc2\xa0\xf0\x9f\x98\x80"),
        std::pair(R"("\L\P\xe9")", "\xe2\x80\xa8\xe2\x80\xa9\xc3\xa9")}) {
    const auto read = parse_yaml(written);
    ASSERT_TRUE(read) << written;
    EXPECT_EQ(read->as_string(), meant) << written;
    EXPECT_EQ(parse_yaml(to_yaml(*read)).value(), *read) << written;
    EXPECT_EQ(parse_json(to_json(*read)).value(), *read) << written;
  }
}

TEST(Yaml, TextMustBeUtf8) {
  for (const char* bad : {"a: \xff", "a: \xc0\x80", "\xed\xa0\x80: 1", "a: \xf4\x90\x80\x80",
                          "a: \xe2\x82", "!!binary /w==", "a: [!!binary wIA=]"}) {
    EXPECT_FALSE(parse_yaml(bad)) << bad;
  }
  EXPECT_FALSE(parse_yaml(std::string_view("\x1f\0\0\0\0\0\0-\n", 9)));
  EXPECT_EQ(to_json(parse_yaml("a: \xf0\x9f\x98\x80\xc3\xa9").value()),
            "{\"a\":\"\xf0\x9f\x98\x80\xc3\xa9\"}");
}

// What took the square of its length would hold everybody up.
TEST(Yaml, ManyKeysAndMergesTakeNoLongerThanTheirNumber) {
  std::string keys, merges = "base: &a {x: 1}\nmap:\n";
  for (int i = 0; i < 200'000; ++i) keys += "k" + std::to_string(i) + ":\n";
  for (int i = 0; i < 100'000; ++i) merges += "  <<: *a\n";
  std::vector<std::string> duplicates;
  const auto many = parse_yaml(keys + "k7: again\n", {}, &duplicates);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->size(), 200'000u);
  EXPECT_EQ(duplicates, std::vector<std::string>{"k7"});
  EXPECT_EQ(to_json(parse_yaml(merges).value()), R"({"base":{"x":1},"map":{"x":1}})");
}

TEST(Yaml, MergesKeepTheirOrder) {
  const auto merged = parse_yaml(
      "a: &a {x: 1, v: 1, z: 1}\nb: &b {x: 2, v: 2, w: 2}\n"
      "c: {<<: [*a, *b], x: 3}\nd: {<<: *b, x: 4, <<: *a}\n");
  ASSERT_TRUE(merged);
  EXPECT_EQ(to_json((*merged)["c"]), R"({"v":1,"w":2,"x":3,"z":1})");
  EXPECT_EQ(to_json((*merged)["d"]), R"({"v":2,"w":2,"x":4,"z":1})");
}

TEST(Yaml, AliasesNestNoDeeperThanText) {
  std::string text = "a0: &a0 {}\n";
  for (int i = 1; i < 600; ++i) {
    const std::string below = std::to_string(i - 1), here = std::to_string(i);
    text += "a" + here + ": &a" + here + " [*a" + below + "]\n";
  }
  const auto deep = parse_yaml(text);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, base::ErrorCode::exhausted);
  YamlLimits limits;
  limits.depth_max = 3;
  EXPECT_TRUE(parse_yaml("a: &a [1]\nb: {c: *a}\n", limits));
  EXPECT_FALSE(parse_yaml("a: &a [[]]\nb: {c: *a}\n", limits));
}

}  // namespace
}  // namespace keelway::value
