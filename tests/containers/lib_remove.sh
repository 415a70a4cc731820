# containers_remove LABEL: removes the containers and networks with this label, by id.
# shellcheck shell=bash
containers_remove()
{
    local ids
    mapfile -t ids < <(podman container ls --all --quiet --filter label="$1")
    ((${#ids[@]} == 0)) || podman container rm --force --depend --ignore --time 0 "${ids[@]}" >/dev/null
    mapfile -t ids < <(podman network ls --quiet --filter label="$1")
    ((${#ids[@]} == 0)) || podman network rm "${ids[@]}" >/dev/null
}
