#!/usr/bin/env python3
"""Makes the three SNS topics, each with an SQS queue of the same name subscribed to it.

usage: topics.py [ENDPOINT]      (default: $EVENT_PUSHER_TEST_SNS)

Idempotent, and for an emulator only: the credentials are made up.
"""

import os
import sys

import boto3

TOPICS = ("presence_updates", "pm_messages", "muc_messages")
REGION = "us-east-1"


def main() -> None:
    endpoint = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EVENT_PUSHER_TEST_SNS")
    if not endpoint or endpoint.startswith("-"):
        sys.exit(__doc__)
    sns, sqs = (client(service, endpoint) for service in ("sns", "sqs"))
    for name in TOPICS:
        topic = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=queue_arn(sqs, name),
            # Raw: the queue gets the notification's body and attributes, without an envelope.
            Attributes={"RawMessageDelivery": "true"},
        )
        print(f"{topic} → SQS queue {name}")
    if page := os.environ.get("PAGE"):
        print(f"The operator's page: {page}")


def client(service: str, endpoint: str):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def queue_arn(sqs, name: str) -> str:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


if __name__ == "__main__":
    main()
