"""What libraries print of a store that is gone, full or refusing becomes one line; other errors stay what they are."""

from __future__ import annotations

import pytest

from common.errors import LakeNotWritableError, PipelineError, StorageUnreachableError
from common.lake.storage.store_errors import explaining

# As the libraries printed them.
ARROW = "When reading 'a': AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 7, Could not connect to server"
DELTALAKE = (
    "Kernel error -> Generic S3 error\n  Error performing GET http://127.0.0.1:1/lake\n   error sending request\n"
)
HADOOP = "o61.save.\n: software.amazon.awssdk.core.exception.SdkClientException: Unable to execute HTTP request"
ARROW_DENIED = "When uploading object with key 'a': AWS Error ACCESS_DENIED during PutObject operation: Access Denied."
DELTALAKE_DENIED = (
    "Kernel error -> The operation lacked the necessary privileges to complete for path a/t/_delta_log/_last_checkpoint\n"
    "  \x1b[31m↳\x1b[0m Error performing GET http://127.0.0.1:1/lake/a in 887.774µs - Server returned non-2xx status code\n"
    "   \x1b[31m↳\x1b[0m 403 Forbidden"
)
HADOOP_DENIED = (
    "java.nio.file.AccessDeniedException: s3a://lake/a: PUT 0-byte object: software.amazon.awssdk.services.s3.model.S3Exception: "
    "Access Denied. (Service: S3, Status Code: 403, Request ID: 1)"
)
ARROW_FULL = (
    "When uploading object with key 'a' in bucket 'lake': AWS Error UNKNOWN (HTTP status 507) during PutObject operation: "
    "Unable to parse ExceptionName: XMinioStorageFull Message: Storage backend has reached its minimum free drive threshold."
)
DELTALAKE_FULL = (
    "Failed to parse parquet: External: The operation lacked the necessary privileges to complete for path a: Error performing "
    "PUT http://127.0.0.1:1/lake/a in 41ms - Server returned non-2xx status code: 403 Forbidden: "
    "<Error><Code>QuotaExceeded</Code><Message>The bucket is over its quota.</Message></Error>"
)
HADOOP_FULL = (
    "s3a://lake/a: software.amazon.awssdk.services.s3.model.S3Exception: No room. (Service: S3, Status Code: 507)"
)


def explained(said: str, kind: type[PipelineError]) -> str:
    with pytest.raises(kind) as told, explaining():
        raise OSError(said)
    assert told.value.exit_code == 1
    assert "run the same command again" in str(told.value)
    assert not {"\n", "\x1b", "↳"} & {*str(told.value)}
    return str(told.value)


@pytest.mark.parametrize("said", [ARROW, DELTALAKE, HADOOP])
def test_a_store_that_is_lost_is_told_in_one_line(said: str) -> None:
    assert "the object store stopped answering: " in explained(said, StorageUnreachableError)


@pytest.mark.parametrize("said", [ARROW_DENIED, DELTALAKE_DENIED, HADOOP_DENIED])
def test_a_store_that_refuses_says_what_to_set(said: str) -> None:
    told = explained(said, StorageUnreachableError)
    assert "the object store refuses our credentials: " in told
    assert "set AWS_ACCESS_KEY_ID and" in told


@pytest.mark.parametrize("said", [ARROW_FULL, DELTALAKE_FULL, HADOOP_FULL])
def test_a_full_store_is_told_apart_from_one_that_refuses(said: str) -> None:
    assert "the object store is full: " in explained(said, LakeNotWritableError)


def test_of_a_java_trace_the_stores_own_words_are_shown() -> None:
    trace = f"o496.save.\n: org.apache.spark.SparkException: Task failed\n\tat org.a.B.c(B.java:1)\nCaused by: {HADOOP_DENIED}\n"
    told = explained(trace, StorageUnreachableError)
    assert f"the object store refuses our credentials: Caused by: {HADOOP_DENIED}" in told
    assert "SparkException" not in told


@pytest.mark.parametrize(
    "said",
    ["Connection refused by shop-db:5432", "org.apache.hadoop.fs.s3a.S3AFileSystem: No such file", "no space left"],
)
def test_other_faults_stay_what_they_are(said: str) -> None:
    with pytest.raises(OSError, match=said), explaining():
        raise OSError(said)
