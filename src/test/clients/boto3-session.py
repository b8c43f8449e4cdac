"""Puts, gets, lists, copies, presigns and deletes with boto3; run by boto3.ts.

Prints one line a check that passed; any that fails ends it with a traceback.
"""

import hashlib
import json
import os
import sys
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

endpoint, keys_json = sys.argv[1], sys.argv[2]
odd_keys = json.loads(keys_json)


def content(name, length):
    """Bytes that differ for each name, without a library."""
    block = hashlib.sha512(name.encode()).digest()
    return (block * (length // len(block) + 1))[:length]


def client(style):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(signature_version="s3v4", s3={"addressing_style": style}, retries={"max_attempts": 0}),
    )


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"not refused with {code}")


s3 = client("path")
s3.create_bucket(Bucket="boto")
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["boto"]
refused("NoSuchBucket", s3.list_objects_v2, Bucket="missing")
print("buckets")

for key in odd_keys:
    body = content(key, 70_000)
    etag = s3.put_object(Bucket="boto", Key=key, Body=body, Metadata={"name": "value"})["ETag"]
    assert etag == f'"{hashlib.md5(body).hexdigest()}"', etag
    got = s3.get_object(Bucket="boto", Key=key)
    assert got["Body"].read() == body, key
    assert got["Metadata"] == {"name": "value"}, got
    part = s3.get_object(Bucket="boto", Key=key, Range="bytes=-10")
    assert part["Body"].read() == body[-10:], key
refused("NoSuchKey", s3.get_object, Bucket="boto", Key="missing")
print("put and get")

listed = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(
    Bucket="boto", PaginationConfig={"PageSize": 2}) for o in page["Contents"]]
assert listed == sorted(odd_keys, key=lambda k: k.encode()), listed
listed = [o["Key"] for page in s3.get_paginator("list_objects").paginate(
    Bucket="boto", PaginationConfig={"PageSize": 1}) for o in page["Contents"]]
assert listed == sorted(odd_keys, key=lambda k: k.encode()), listed
folders = s3.list_objects_v2(Bucket="boto", Delimiter="/")
assert [p["Prefix"] for p in folders["CommonPrefixes"]] == sorted({k.split("/")[0] + "/" for k in odd_keys if "/" in k},
                                                                  key=lambda k: k.encode()), folders
print("list")

large = content("large", 21 * 2**20 + 7)
with open("large", "wb") as file:
    file.write(large)
parts = TransferConfig(multipart_threshold=6 * 2**20, multipart_chunksize=5 * 2**20, max_concurrency=4)
s3.upload_file("large", "boto", "large+ü", Config=parts)
assert s3.head_object(Bucket="boto", Key="large+ü")["ETag"].endswith('-5"')
s3.download_file("boto", "large+ü", "large.out", Config=parts)
with open("large.out", "rb") as file:
    assert hashlib.sha256(file.read()).digest() == hashlib.sha256(large).digest()
upload = s3.create_multipart_upload(Bucket="boto", Key="given up")["UploadId"]
s3.upload_part(Bucket="boto", Key="given up", UploadId=upload, PartNumber=1, Body=content("part", 6_000_000))
assert len(s3.list_parts(Bucket="boto", Key="given up", UploadId=upload)["Parts"]) == 1
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket="boto")["Uploads"]] == [upload]
s3.abort_multipart_upload(Bucket="boto", Key="given up", UploadId=upload)
assert "Uploads" not in s3.list_multipart_uploads(Bucket="boto")
refused("NoSuchUpload", s3.list_parts, Bucket="boto", Key="given up", UploadId=upload)
print("multipart")

for key in odd_keys:
    s3.copy_object(Bucket="boto", Key=f"copy of {key}", CopySource={"Bucket": "boto", "Key": key})
    assert s3.get_object(Bucket="boto", Key=f"copy of {key}")["Body"].read() == content(key, 70_000), key
s3.copy({"Bucket": "boto", "Key": "large+ü"}, "boto", "copied in parts", Config=parts)
assert s3.get_object(Bucket="boto", Key="copied in parts")["Body"].read() == large
print("copy")

for key in odd_keys:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": key}, ExpiresIn=60)
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == content(key, 70_000), key
url = s3.generate_presigned_url("put_object", Params={"Bucket": "boto", "Key": "sent by anybody"}, ExpiresIn=60)
request = urllib.request.Request(url, data=content("sent", 100_000), method="PUT")
with urllib.request.urlopen(request, timeout=30) as answer:
    assert answer.status == 200
assert s3.get_object(Bucket="boto", Key="sent by anybody")["Body"].read() == content("sent", 100_000)
print("presigned URLs")

refused("BadDigest", s3.put_object, Bucket="boto", Key="wrong", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
stranger = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
                        aws_secret_access_key="wrong", config=Config(signature_version="s3v4"))
refused("SignatureDoesNotMatch", stranger.list_objects_v2, Bucket="boto")
print("refusals")

old = boto3.client("s3", endpoint_url=endpoint, config=Config(signature_version="s3", s3={"addressing_style": "path"}))
old.put_object(Bucket="boto", Key="signed as of old", Body=b"text", ContentType="text/plain", Metadata={"a": "b"})
assert old.get_object(Bucket="boto", Key="signed as of old")["Body"].read() == b"text"
assert old.list_objects(Bucket="boto", Prefix="signed")["Contents"][0]["Key"] == "signed as of old"
url = old.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "signed as of old"}, ExpiresIn=60)
assert "AWSAccessKeyId" in url, url
with urllib.request.urlopen(url, timeout=30) as answer:
    assert answer.read() == b"text"
print("signatures of version 2")


def service(name, keys=None):
    arguments = {} if keys is None else {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys.get("SessionToken"),
    }
    return boto3.client(name, endpoint_url=endpoint, region_name="us-east-1", **arguments)


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


iam = service("iam")
iam.create_user(UserName="reader", Path="/people/")
keys = iam.create_access_key(UserName="reader")["AccessKey"]
reader = service("s3", keys)
refused("AccessDenied", reader.list_objects_v2, Bucket="boto")
iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy(
    Action=["s3:ListBucket", "s3:GetObject"], Resource=["arn:aws:s3:::boto", "arn:aws:s3:::boto/*"]))
assert reader.list_objects_v2(Bucket="boto")["KeyCount"] > 0
refused("AccessDenied", reader.put_object, Bucket="boto", Key="x", Body=b"")
assert iam.get_user_policy(UserName="reader", PolicyName="read")["PolicyDocument"]["Version"] == "2012-10-17"
refused("AccessDenied", service("iam", keys).list_users)
trust = policy(Action="sts:AssumeRole", Principal={"AWS": "arn:aws:iam:::user/reader"})
role = iam.create_role(RoleName="writer", AssumeRolePolicyDocument=trust)["Role"]
iam.put_role_policy(RoleName="writer", PolicyName="write", PolicyDocument=policy(
    Action="s3:*", Resource="arn:aws:s3:::boto/*"))
taken = service("sts", keys).assume_role(RoleArn=role["Arn"], RoleSessionName="now")["Credentials"]
writer = service("s3", taken)
writer.put_object(Bucket="boto", Key="by the role", Body=b"x")
refused("AccessDenied", writer.list_objects_v2, Bucket="boto")
iam.update_access_key(UserName="reader", AccessKeyId=keys["AccessKeyId"], Status="Inactive")
refused("InvalidAccessKeyId", reader.list_objects_v2, Bucket="boto")
refused("DeleteConflict", iam.delete_user, UserName="reader")
iam.delete_access_key(UserName="reader", AccessKeyId=keys["AccessKeyId"])
iam.delete_user_policy(UserName="reader", PolicyName="read")
iam.delete_user(UserName="reader")
iam.delete_role_policy(RoleName="writer", PolicyName="write")
iam.delete_role(RoleName="writer")
refused("InvalidToken", writer.put_object, Bucket="boto", Key="x", Body=b"")
assert "reader" not in [u["UserName"] for u in iam.list_users()["Users"]]
print("users and sessions")

left = [o["Key"] for o in s3.list_objects_v2(Bucket="boto")["Contents"]]
refused("BucketNotEmpty", s3.delete_bucket, Bucket="boto")
s3.delete_object(Bucket="boto", Key=left[0])
gone = s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": key} for key in left[1:]]})
assert sorted(d["Key"] for d in gone["Deleted"]) == sorted(left[1:]), gone
assert "Contents" not in s3.list_objects_v2(Bucket="boto")
s3.delete_bucket(Bucket="boto")
assert s3.list_buckets()["Buckets"] == []
print("delete")
