#include "devices.h"

#include <string.h>

#include "text.h"

void devices_prepare(void) {
}

/* Written by the maker: it is shown to people and gets into logs. */
static void name_of(const fido_dev_info_t *info, char *name, size_t size) {
    const char *maker = fido_dev_info_manufacturer_string(info);
    const char *product = fido_dev_info_product_string(info);

    name[0] = '\0';
    if (maker != NULL)
        text_append(name, size, maker);
    if (name[0] != '\0' && product != NULL && product[0] != '\0')
        text_append(name, size, " ");
    if (product != NULL)
        text_append(name, size, product);
}

size_t devices_list(struct plugged *found, size_t capacity) {
    fido_dev_info_t *list = fido_dev_info_new(capacity);
    size_t listed = 0;
    size_t count = 0;

    if (list == NULL || fido_dev_info_manifest(list, capacity, &listed) != FIDO_OK)
        listed = 0;
    for (size_t i = 0; i < listed; i++) {
        const fido_dev_info_t *info = fido_dev_info_ptr(list, i);
        const char *path = info == NULL ? NULL : fido_dev_info_path(info);

        if (path == NULL || strlen(path) > DEVICE_PATH_MAX)
            continue;
        memcpy(found[count].path, path, strlen(path) + 1);
        name_of(info, found[count].name, sizeof(found[count].name));
        count++;
    }
    fido_dev_info_free(&list, capacity);
    return count;
}

fido_dev_t *devices_open(const char *path, int timeout) {
    fido_dev_t *device = fido_dev_new();

    if (device == NULL)
        return NULL;
    if (fido_dev_set_timeout(device, timeout) != FIDO_OK || fido_dev_open(device, path) != FIDO_OK)
        fido_dev_free(&device);
    return device;
}
