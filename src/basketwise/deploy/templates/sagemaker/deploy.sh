#!/bin/sh
# Serves version [[ version ]] of [[ group ]], sha256 [[ sha256 ]],
# at the endpoint [[ endpoint ]]: creates it, or updates it blue/green.
#
#   sh deploy.sh        needs the AWS command line, with credentials and a region
#
# Can be run again at any time. Ends with 1 if an alarm sent SageMaker back to the version before.
set -eu
cd "$(dirname "$0")"

there() { aws sagemaker "$@" >/dev/null 2>&1; }
send() { aws "$1" "$2" --cli-input-json "file://$3.json"; }

there describe-model --model-name [[ model ]] ||
    send sagemaker create-model create-model
there describe-endpoint-config --endpoint-config-name [[ config ]] ||
    send sagemaker create-endpoint-config create-endpoint-config
send cloudwatch put-metric-alarm alarm-errors
send cloudwatch put-metric-alarm alarm-latency

serving() {
    aws sagemaker describe-endpoint --endpoint-name [[ endpoint ]] \
        --query EndpointConfigName --output text
}
if ! there describe-endpoint --endpoint-name [[ endpoint ]]; then
    send sagemaker create-endpoint create-endpoint
elif [ "$(serving)" != [[ config ]] ]; then
    send sagemaker update-endpoint update-endpoint
fi
aws sagemaker wait endpoint-in-service --endpoint-name [[ endpoint ]]
if [ "$(serving)" != [[ config ]] ]; then
    echo "[[ endpoint ]] serves $(serving) again: the update was rolled back." >&2
    exit 1
fi
{% if scales %}
send application-autoscaling register-scalable-target register-scalable-target
send application-autoscaling put-scaling-policy put-scaling-policy
{% endif %}
echo "[[ endpoint ]] serves version [[ version ]]."
