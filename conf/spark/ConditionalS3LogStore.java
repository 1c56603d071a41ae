package pipeline;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.RemoteFileChangedException;
import org.apache.hadoop.fs.s3a.S3AFileSystem;
import org.apache.hadoop.fs.s3a.S3AUtils;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Request;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * Writes a commit only if no other machine has written it, and lists a log from where it is asked to. Delta's own log store for
 * S3 looks first, and then overwrites; it lists a log from its beginning.
 */
public class ConditionalS3LogStore extends io.delta.storage.S3SingleDriverLogStore {
    private static final String IF_ABSENT = "fs.option.create.conditional.overwrite";

    public ConditionalS3LogStore(Configuration conf) {
        super(conf);
    }

    public void write(Path path, Iterator actions, Boolean overwrite, Configuration conf) throws IOException {
        if (overwrite.booleanValue()) {
            super.write(path, actions, overwrite, conf);
            return;
        }
        // Whole before the file is opened: closing it is what makes the commit.
        byte[] content = lines(actions);
        FileSystem files = path.getFileSystem(conf);
        FSDataOutputStreamBuilder creation = (FSDataOutputStreamBuilder) files.createFile(path).recursive().must(IF_ABSENT, true);
        try {
            FSDataOutputStream stream = (FSDataOutputStream) creation.build();
            stream.write(content);
            stream.close();
        } catch (RemoteFileChangedException taken) {
            throw new FileAlreadyExistsException(path.toString());
        }
    }

    public Iterator listFrom(Path path, Configuration conf) throws IOException {
        S3AFileSystem files = (S3AFileSystem) path.getFileSystem(conf);
        String key = path.toUri().getPath().substring(1);
        String folder = key.substring(0, key.lastIndexOf('/') + 1);
        ListObjectsV2Request.Builder asking = ListObjectsV2Request.builder().bucket(files.getBucket()).prefix(folder).delimiter("/");
        // What is asked for may itself be there, and a listing starts after a name.
        asking = asking.startAfter(key.substring(0, key.length() - 1));
        ArrayList found = new ArrayList();
        try {
            S3Client store = files.getS3AInternals().getAmazonS3Client("the end of a log");
            Iterator pages = store.listObjectsV2Paginator((ListObjectsV2Request) asking.build()).iterator();
            while (pages.hasNext()) {
                add(((ListObjectsV2Response) pages.next()).contents().iterator(), key, folder, path.getParent(), found);
            }
        } catch (SdkException error) {
            throw S3AUtils.translateException("list", path, error);
        }
        // Only Delta's own way tells a log that ends there from one that does not exist.
        return found.isEmpty() ? super.listFrom(path, conf) : found.iterator();
    }

    private static void add(Iterator objects, String from, String folder, Path log, ArrayList found) {
        while (objects.hasNext()) {
            S3Object object = (S3Object) objects.next();
            if (object.key().compareTo(from) >= 0) {
                Path path = new Path(log, object.key().substring(folder.length()));
                found.add(new FileStatus(object.size().longValue(), false, 1, 0L, object.lastModified().toEpochMilli(), path));
            }
        }
    }

    private static byte[] lines(Iterator actions) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        while (actions.hasNext()) {
            content.write((actions.next() + "\n").getBytes(StandardCharsets.UTF_8));
        }
        return content.toByteArray();
    }
}
