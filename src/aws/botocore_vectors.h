// Requests and tokens as botocore 1.43.11 signs them at 2026-01-02T03:04:05Z with the key below,
// for tests. Headers that are not signed and say nothing are left out.
#pragma once

#include <string_view>

#include "aws/identity/access_key.h"
#include "base/time.h"
#include "http/server.h"

namespace keelway::aws::vectors {

inline constexpr base::WallTime signed_at{1'767'323'045'000'000};

inline AccessKey key() {
  return {"AKIAEXAMPLEEXAMPLE22", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "123456789012", "",
          true};
}

// A request is moved into the server; tests send one several times.
inline http::Request copy_of(const http::Request& request) {
  http::Request copy;
  copy.method = request.method;
  copy.target = request.target;
  copy.headers = request.headers;
  copy.body = request.body;
  copy.scheme = request.scheme;
  copy.tls = request.tls;
  copy.peer = request.peer;
  copy.http2 = request.http2;
  return copy;
}

inline http::Request create_cluster_request() {
  http::Request request;
  request.method = "POST";
  request.target = "/clusters";
  request.headers = {
      {"content-type", "application/json"},
      {"x-amz-date", "20260102T030405Z"},
      {"authorization",
       "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEEXAMPLE22/20260102/eu-west-1/eks/aws4_request, "
       "SignedHeaders=content-type;host;x-amz-date, "
       "Signature=bc4d471065b93ac822ddfea2237a78b2ef5457e8b8fd303b446295aaf3fee5f0"},
      {"host", "127.0.0.1:4566"}};
  request.body = R"({"name": "dev", "roleArn": "arn:aws:iam::123456789012:role/eks", "resourcesV)"
                 R"(pcConfig": {"subnetIds": ["subnet-1", "subnet-2"]}, "clientRequestToken": "t)"
                 R"(oken-1", "tags": {"team": "a b"}})";
  return request;
}

inline http::Request list_tags_request() {
  http::Request request;
  request.method = "GET";
  request.target = "/tags/arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fdev";
  request.headers = {
      {"x-amz-date", "20260102T030405Z"},
      {"authorization",
       "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEEXAMPLE22/20260102/eu-west-1/eks/aws4_request, "
       "SignedHeaders=host;x-amz-date, "
       "Signature=cdaeae9b17c905c9b1b5561801dab0de37124fb2167007844b9c6340868f4234"},
      {"host", "127.0.0.1:4566"}};
  request.body = "";
  return request;
}

inline http::Request list_clusters_request() {
  http::Request request;
  request.method = "GET";
  request.target = "/clusters?maxResults=2&nextToken=a%2Bb%2Fc%3D";
  request.headers = {
      {"x-amz-date", "20260102T030405Z"},
      {"authorization",
       "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEEXAMPLE22/20260102/eu-west-1/eks/aws4_request, "
       "SignedHeaders=host;x-amz-date, "
       "Signature=eb703c5e1c9c3129725d8e6de205e677dc72b97e05111f39ba23a92c57b4c63b"},
      {"host", "127.0.0.1:4566"}};
  request.body = "";
  return request;
}

inline http::Request caller_identity_request() {
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.headers = {
      {"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
      {"x-amz-date", "20260102T030405Z"},
      {"authorization",
       "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEEXAMPLE22/20260102/eu-west-1/sts/aws4_request, "
       "SignedHeaders=content-type;host;x-amz-date, "
       "Signature=318c9b5e184290ea34156ed3b1365e73f3d0d5ded156491145e843aeba2bdd4b"},
      {"host", "127.0.0.1:4566"}};
  request.body = R"(Action=GetCallerIdentity&Version=2011-06-15)";
  return request;
}

inline constexpr std::string_view own_endpoint_token =
    "k8s-aws-v1.aHR0cDovLzEyNy4wLjAuMTo0NTY2Lz9BY3Rpb249R2V0Q2FsbGVySWRlbnRpdHkmVmVyc"
    "2lvbj0yMDExLTA2LTE1JlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlb"
    "nRpYWw9QUtJQUVYQU1QTEVFWEFNUExFMjIlMkYyMDI2MDEwMiUyRmV1LXdlc3QtMSUyRnN0cyUyRmF3c"
    "zRfcmVxdWVzdCZYLUFtei1EYXRlPTIwMjYwMTAyVDAzMDQwNVomWC1BbXotRXhwaXJlcz02MCZYLUFte"
    "i1TaWduZWRIZWFkZXJzPWhvc3QlM0J4LWs4cy1hd3MtaWQmWC1BbXotU2lnbmF0dXJlPTcwYTVhNWM4O"
    "GU4ZGUyYzJlMTEyY2Y1ODdlYWRkMjA2YzFlMTQ0MmFmYWQzZTM3NDJiMTBhYzg4YTdkMGMyMWM";

inline constexpr std::string_view real_endpoint_token =
    "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1HZXRDYWxsZ"
    "XJJZGVudGl0eSZWZXJzaW9uPTIwMTEtMDYtMTUmWC1BbXotQWxnb3JpdGhtPUFXUzQtSE1BQy1TSEEyN"
    "TYmWC1BbXotQ3JlZGVudGlhbD1BS0lBRVhBTVBMRUVYQU1QTEUyMiUyRjIwMjYwMTAyJTJGZXUtd2Vzd"
    "C0xJTJGc3RzJTJGYXdzNF9yZXF1ZXN0JlgtQW16LURhdGU9MjAyNjAxMDJUMDMwNDA1WiZYLUFtei1Fe"
    "HBpcmVzPTYwJlgtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCUzQngtazhzLWF3cy1pZCZYLUFtei1TaWduY"
    "XR1cmU9ZWMyMGUzMDk4MTYwNmViMmQ2NWM1NTYyZmRjNDU5OWZmMDNkNDAwMmU5ZTA0ZjAyNzg3ZTZlM"
    "jA1NTQwOGJjYw";

}  // namespace keelway::aws::vectors
